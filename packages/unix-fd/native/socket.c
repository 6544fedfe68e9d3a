#define _GNU_SOURCE
#include "marshal.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Every socket is born close-on-exec and non-blocking: nothing here may stall the event loop. */
enum { BORN_WITH = SOCK_CLOEXEC | SOCK_NONBLOCK };

/* Reads a path that fits sockaddr_un with its terminating NUL. */
static bool read_address(napi_env env, napi_value value, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  return read_text(env, value, address->sun_path, sizeof address->sun_path);
}

/* (type) → descriptor. `type` is SOCK_STREAM or SOCK_SEQPACKET by number. */
static napi_value socket_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int32_t type;
  if (!read_arguments(env, info, 1, values) || !read_int(env, values[0], &type)) return NULL;
  return give_result(env, socket(AF_UNIX, type | BORN_WITH, 0));
}

/* (type, ends: Int32Array(2)) → 0. */
static napi_value socketpair_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t type;
  int32_t *ends;
  size_t length;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &type) ||
      !read_ints(env, values[1], &ends, &length))
    return NULL;
  if (length < 2) {
    napi_throw_type_error(env, NULL, "expected room for two descriptors");
    return NULL;
  }
  return give_result(env, socketpair(AF_UNIX, type | BORN_WITH, 0, ends));
}

static napi_value bind_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd;
  struct sockaddr_un address;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) ||
      !read_address(env, values[1], &address))
    return NULL;
  return give_result(env, bind(fd, (const struct sockaddr *)&address, sizeof address));
}

static napi_value connect_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd;
  struct sockaddr_un address;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) ||
      !read_address(env, values[1], &address))
    return NULL;
  return give_result(env, connect(fd, (const struct sockaddr *)&address, sizeof address));
}

static napi_value listen_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd, backlog;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) ||
      !read_int(env, values[1], &backlog))
    return NULL;
  return give_result(env, listen(fd, backlog));
}

static napi_value accept_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int32_t fd;
  if (!read_arguments(env, info, 1, values) || !read_int(env, values[0], &fd)) return NULL;
  return give_result(env, accept4(fd, NULL, NULL, BORN_WITH));
}

static napi_value shutdown_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd, how;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) || !read_int(env, values[1], &how))
    return NULL;
  return give_result(env, shutdown(fd, how));
}

/* (fd, out: Int32Array(3)) → 0; out holds pid, uid and gid. uid and gid are unsigned: reinterpret them. */
static napi_value peer_credentials_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd;
  int32_t *out;
  size_t length;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd) ||
      !read_ints(env, values[1], &out, &length))
    return NULL;
  if (length < 3) {
    napi_throw_type_error(env, NULL, "expected room for three numbers");
    return NULL;
  }
  struct ucred peer = {0};
  socklen_t size = sizeof peer;
  const int result = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  if (result == 0) {
    out[0] = (int32_t)peer.pid;
    out[1] = (int32_t)peer.uid;
    out[2] = (int32_t)peer.gid;
  }
  return give_result(env, result);
}

static napi_value unlink_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct sockaddr_un address;
  if (!read_arguments(env, info, 1, values) || !read_address(env, values[0], &address)) return NULL;
  return give_result(env, unlink(address.sun_path));
}

bool add_socket_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "socket", socket_call) &&
         add_function(env, exports, "socketpair", socketpair_call) &&
         add_function(env, exports, "bind", bind_call) && add_function(env, exports, "connect", connect_call) &&
         add_function(env, exports, "listen", listen_call) && add_function(env, exports, "accept", accept_call) &&
         add_function(env, exports, "shutdown", shutdown_call) &&
         add_function(env, exports, "peerCredentials", peer_credentials_call) &&
         add_function(env, exports, "unlink", unlink_call);
}
