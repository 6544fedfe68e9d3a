#define _GNU_SOURCE
#include "marshal.h"

#include <sys/syscall.h>
#include <sys/wait.h>
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

/* glibc has the name only since 2.36. */
enum { BY_PIDFD = 3 };

/* (pidfd, flags, out: Int32Array(3)) → 0; out holds si_pid (0: has not ended), si_code and si_status. */
static napi_value wait_call(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int32_t pidfd, flags;
  int32_t *out;
  size_t length;
  if (!read_arguments(env, info, 3, values) || !read_int(env, values[0], &pidfd) ||
      !read_int(env, values[1], &flags) || !read_ints(env, values[2], &out, &length))
    return NULL;
  if (length < 3) {
    napi_throw_type_error(env, NULL, "expected room for three numbers");
    return NULL;
  }
  siginfo_t ended = {0};
  /* WNOHANG always: nothing here may stall the event loop. */
  const int result = waitid((idtype_t)BY_PIDFD, (id_t)pidfd, &ended, flags | WEXITED | WNOHANG);
  out[0] = (int32_t)ended.si_pid;
  out[1] = ended.si_code;
  out[2] = ended.si_status;
  return give_result(env, result);
}

bool add_process_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "pidfdOpen", pidfd_open_call) &&
         add_function(env, exports, "pidfdSendSignal", pidfd_send_signal_call) &&
         add_function(env, exports, "wait", wait_call);
}
