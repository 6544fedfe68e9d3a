#define _GNU_SOURCE
#include "marshal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Numbers come from the headers the addon is compiled with: some differ between architectures. */
static const struct {
  const char *name;
  int32_t number;
} constants[] = {
    {"SOCK_STREAM", SOCK_STREAM},
    {"SOCK_SEQPACKET", SOCK_SEQPACKET},
    {"SHUT_WR", SHUT_WR},
    {"MSG_TRUNC", MSG_TRUNC},
    {"MSG_CTRUNC", MSG_CTRUNC},
    {"MFD_ALLOW_SEALING", MFD_ALLOW_SEALING},
    {"F_GETFL", F_GETFL},
    {"F_SETFL", F_SETFL},
    {"F_GET_SEALS", F_GET_SEALS},
    {"F_ADD_SEALS", F_ADD_SEALS},
    {"F_SEAL_SEAL", F_SEAL_SEAL},
    {"F_SEAL_SHRINK", F_SEAL_SHRINK},
    {"F_SEAL_GROW", F_SEAL_GROW},
    {"F_SEAL_WRITE", F_SEAL_WRITE},
    {"O_NONBLOCK", O_NONBLOCK},
};

static bool add_constants(napi_env env, napi_value exports) {
  napi_value object;
  if (napi_create_object(env, &object) != napi_ok) return false;
  for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
    napi_value number = give_int(env, constants[i].number);
    if (napi_set_named_property(env, object, constants[i].name, number) != napi_ok) return false;
  }
  return napi_set_named_property(env, exports, "constants", object) == napi_ok;
}

NAPI_MODULE_INIT() {
  const bool ready = add_constants(env, exports) && add_descriptor_calls(env, exports) &&
                     add_process_calls(env, exports) && add_socket_calls(env, exports) &&
                     add_message_calls(env, exports) && add_watch_calls(env, exports);
  if (!ready) napi_throw_error(env, NULL, "unix-fd: the native part could not register its calls");
  return exports;
}
