#define _GNU_SOURCE
#include "marshal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Younger than the headers this is meant to compile with. Fixed numbers on every architecture. */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

/* Numbers come from the headers the addon is compiled with: some differ between architectures. */
static const struct {
  const char *name;
  int32_t number;
} constants[] = {
    {"SOCK_STREAM", SOCK_STREAM},
    {"SOCK_SEQPACKET", SOCK_SEQPACKET},
    {"SHUT_RD", SHUT_RD},
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
    {"SOCK_DGRAM", SOCK_DGRAM},
    {"AF_UNIX", AF_UNIX},
    {"SO_TYPE", SO_TYPE},
    {"SO_DOMAIN", SO_DOMAIN},
    {"SO_ACCEPTCONN", SO_ACCEPTCONN},
    {"EAGAIN", EAGAIN},
    {"F_GETFD", F_GETFD},
    {"FD_CLOEXEC", FD_CLOEXEC},
    {"F_SEAL_FUTURE_WRITE", F_SEAL_FUTURE_WRITE},
    {"F_SEAL_EXEC", F_SEAL_EXEC},
    {"O_ACCMODE", O_ACCMODE},
    {"O_RDONLY", O_RDONLY},
    {"O_WRONLY", O_WRONLY},
    {"O_RDWR", O_RDWR},
    {"O_APPEND", O_APPEND},
    {"O_PATH", O_PATH},
    {"O_CREAT", O_CREAT},
    {"O_NOFOLLOW", O_NOFOLLOW},
    {"O_DIRECTORY", O_DIRECTORY},
    {"O_NOCTTY", O_NOCTTY},
    {"AT_FDCWD", AT_FDCWD},
    {"RESOLVE_BENEATH", RESOLVE_BENEATH},
    {"RESOLVE_NO_SYMLINKS", RESOLVE_NO_SYMLINKS},
    {"RESOLVE_NO_MAGICLINKS", RESOLVE_NO_MAGICLINKS},
    {"RESOLVE_NO_XDEV", RESOLVE_NO_XDEV},
    {"WNOWAIT", WNOWAIT},
    {"CLD_EXITED", CLD_EXITED},
    {"CLD_KILLED", CLD_KILLED},
    {"CLD_DUMPED", CLD_DUMPED},
};

static bool add_constants(napi_env env, napi_value exports) {
  napi_value object;
  if (napi_create_object(env, &object) != napi_ok) return false;
  for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
    napi_value number = give_int(env, constants[i].number);
    if (napi_set_named_property(env, object, constants[i].name, number) != napi_ok) return false;
  }
  /* 64 KiB on some machines. */
  if (napi_set_named_property(env, object, "PAGE_SIZE", give_int(env, sysconf(_SC_PAGESIZE))) != napi_ok) return false;
  return napi_set_named_property(env, exports, "constants", object) == napi_ok;
}

NAPI_MODULE_INIT() {
  const bool ready = add_constants(env, exports) && add_descriptor_calls(env, exports) &&
                     add_process_calls(env, exports) && add_socket_calls(env, exports) &&
                     add_message_calls(env, exports) && add_watch_calls(env, exports) &&
                     add_look_calls(env, exports) &&
                     add_inspection_calls(env, exports) && add_mapping_calls(env, exports) &&
                     add_beneath_calls(env, exports);
  if (!ready) napi_throw_error(env, NULL, "unix-fd: the native part could not register its calls");
  return exports;
}
