#define _GNU_SOURCE
#include "marshal.h"

#include <sys/socket.h>
#include <sys/stat.h>

/* (fd, out: BigInt64Array(5)) → 0; out holds st_mode, st_size, st_dev, st_ino and st_nlink. fstat(2). */
static napi_value inspect_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd;
  int64_t *out;
  size_t length;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) ||
      !read_longs(env, values[1], &out, &length))
    return NULL;
  if (length < 5) {
    napi_throw_type_error(env, NULL, "expected room for five numbers");
    return NULL;
  }
  struct stat found = {0};
  const int result = fstat(fd, &found);
  out[0] = (int64_t)found.st_mode;
  out[1] = (int64_t)found.st_size;
  out[2] = (int64_t)found.st_dev;
  out[3] = (int64_t)found.st_ino;
  out[4] = (int64_t)found.st_nlink;
  return give_result(env, result);
}

/* (fd, option) → the option's value at SOL_SOCKET. Meant for those that are a small positive int. */
static napi_value socket_option_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd, option;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) || !read_int(env, values[1], &option))
    return NULL;
  int value = 0;
  socklen_t size = sizeof value;
  const int result = getsockopt(fd, SOL_SOCKET, option, &value, &size);
  return give_result(env, result < 0 ? result : value);
}

bool add_inspection_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "inspect", inspect_call) &&
         add_function(env, exports, "socketOption", socket_option_call);
}
