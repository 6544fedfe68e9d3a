#define _GNU_SOURCE
#include "marshal.h"

#include <sys/syscall.h>
#include <unistd.h>

/* glibc 2.36 has wrappers for these two, musl has none: call the kernel. pidfds are always close-on-exec. */

static napi_value pidfd_open_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int32_t pid;
  if (!read_arguments(env, info, 1, values) || !read_int(env, values[0], &pid)) return NULL;
  return give_result(env, syscall(SYS_pidfd_open, (pid_t)pid, 0u));
}

static napi_value pidfd_send_signal_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t pidfd, signal_number;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &pidfd) ||
      !read_int(env, values[1], &signal_number))
    return NULL;
  return give_result(env, syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0u));
}

bool add_process_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "pidfdOpen", pidfd_open_call) &&
         add_function(env, exports, "pidfdSendSignal", pidfd_send_signal_call);
}
