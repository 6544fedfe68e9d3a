#define _GNU_SOURCE
#include "marshal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

/* The longest memfd name the kernel takes is 249 bytes. */
enum { MEMFD_NAME_ROOM = 250 };
/* The longest path of a socket, with `.lock` and its NUL. */
enum { OPEN_PATH_ROOM = 113 };

static napi_value close_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int32_t fd;
  if (!read_arguments(env, info, 1, values) || !read_int(env, values[0], &fd)) return NULL;
  return give_result(env, close(fd));
}

/* (descriptors: Int32Array, first, count) → 0, or the first -errno. Closes every one in any case. */
static napi_value close_all_call(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int32_t *descriptors;
  size_t length, first, count;
  if (!read_arguments(env, info, 3, values) || !read_ints(env, values[0], &descriptors, &length) ||
      !read_range(env, values[1], values[2], length, &first, &count))
    return NULL;
  int problem = 0;
  for (size_t i = first; i < first + count; i++)
    if (close(descriptors[i]) < 0 && problem == 0) problem = errno;
  return give_int(env, -problem);
}

static napi_value duplicate_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int32_t fd;
  if (!read_arguments(env, info, 1, values) || !read_int(env, values[0], &fd)) return NULL;
  return give_result(env, fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

/* (fd, command, argument): the caller names the command by number. */
static napi_value fcntl_call(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int32_t fd, command, argument;
  if (!read_arguments(env, info, 3, values) || !read_int(env, values[0], &fd) ||
      !read_int(env, values[1], &command) || !read_int(env, values[2], &argument))
    return NULL;
  return give_result(env, fcntl(fd, command, argument));
}

static napi_value read_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) ||
      !read_bytes(env, values[1], &bytes, &length))
    return NULL;
  return give_result(env, read(fd, bytes, length));
}

static napi_value write_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) ||
      !read_bytes(env, values[1], &bytes, &length))
    return NULL;
  return give_result(env, write(fd, bytes, length));
}

static napi_value memfd_create_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  char name[MEMFD_NAME_ROOM];
  int32_t flags;
  if (!read_arguments(env, info, 2, values) || !read_text(env, values[0], name, sizeof name) ||
      !read_int(env, values[1], &flags))
    return NULL;
  return give_result(env, memfd_create(name, (unsigned)flags | MFD_CLOEXEC));
}

/* (fd, size) → 0. */
static napi_value resize_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd;
  size_t size;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) || !read_size(env, values[1], &size))
    return NULL;
  return give_result(env, ftruncate(fd, (off_t)size));
}

/* (path, flags) → descriptor. */
static napi_value open_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  char path[OPEN_PATH_ROOM];
  int32_t flags;
  if (!read_arguments(env, info, 2, values) || !read_text(env, values[0], path, sizeof path) ||
      !read_int(env, values[1], &flags))
    return NULL;
  return give_result(env, open(path, flags | O_CLOEXEC, 0600));
}

/* (fd) → 0, or EWOULDBLOCK where somebody else holds it. The lock ends with the open file. */
static napi_value lock_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int32_t fd;
  if (!read_arguments(env, info, 1, values) || !read_int(env, values[0], &fd)) return NULL;
  return give_result(env, flock(fd, LOCK_EX | LOCK_NB));
}

static napi_value eventfd_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t initial, flags;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &initial) ||
      !read_int(env, values[1], &flags))
    return NULL;
  return give_result(env, eventfd((unsigned)initial, flags | EFD_CLOEXEC | EFD_NONBLOCK));
}

/* Writes the reading and the writing end into the given Int32Array of at least two. */
static napi_value pipe_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t *ends;
  size_t length;
  int32_t flags;
  if (!read_arguments(env, info, 2, values) || !read_ints(env, values[0], &ends, &length) ||
      !read_int(env, values[1], &flags))
    return NULL;
  if (length < 2) {
    napi_throw_type_error(env, NULL, "expected room for two descriptors");
    return NULL;
  }
  return give_result(env, pipe2(ends, flags | O_CLOEXEC));
}

bool add_descriptor_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "close", close_call) &&
         add_function(env, exports, "closeAll", close_all_call) &&
         add_function(env, exports, "duplicate", duplicate_call) &&
         add_function(env, exports, "fcntl", fcntl_call) && add_function(env, exports, "read", read_call) &&
         add_function(env, exports, "write", write_call) &&
         add_function(env, exports, "memfdCreate", memfd_create_call) &&
         add_function(env, exports, "resize", resize_call) &&
         add_function(env, exports, "open", open_call) && add_function(env, exports, "lock", lock_call) &&
         add_function(env, exports, "eventfd", eventfd_call) && add_function(env, exports, "pipe", pipe_call);
}
