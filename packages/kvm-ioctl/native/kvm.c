/*
 * The calls that reach /dev/kvm: they marshal and never decide. A system call's result comes back as the
 * value or -errno; a wrong argument is a programmer's mistake and throws.
 */
#define _GNU_SOURCE
#include <node_api.h>

#include <errno.h>
#include <linux/ioctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

static napi_value refuse(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

static napi_value give_result(napi_env env, long result) {
  napi_value value = NULL;
  napi_create_int64(env, result < 0 ? -(int64_t)errno : result, &value);
  return value;
}

static bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) == napi_ok && given >= count) return true;
  refuse(env, "too few arguments");
  return false;
}

/* A whole number from 0 to `most`. */
static bool read_number(napi_env env, napi_value value, double most, double *number) {
  if (napi_get_value_double(env, value, number) == napi_ok && *number >= 0 && *number <= most &&
      *number == (double)(uint64_t)*number)
    return true;
  refuse(env, "expected a whole number in range");
  return false;
}

static bool read_request(napi_env env, napi_value *values, int *fd, unsigned long *request) {
  double descriptor, number;
  if (!read_number(env, values[0], INT32_MAX, &descriptor) || !read_number(env, values[1], UINT32_MAX, &number))
    return false;
  *fd = (int)descriptor;
  *request = (unsigned long)number;
  return true;
}

/* (fd, request, argument: bigint) → result. For requests whose argument is a number, or nothing (0n). */
static napi_value ioctl_number(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int fd;
  unsigned long request;
  uint64_t argument;
  bool exact = false;
  if (!read_arguments(env, info, 3, values) || !read_request(env, values, &fd, &request)) return NULL;
  if (napi_get_value_bigint_uint64(env, values[2], &argument, &exact) != napi_ok || !exact)
    return refuse(env, "expected an unsigned 64-bit integer");
  /* A request that carries a structure would make the kernel follow this number as an address. */
  if (_IOC_SIZE(request) != 0) return refuse(env, "this request takes bytes");
  return give_result(env, ioctl(fd, request, (unsigned long)argument));
}

/* (fd, request, bytes: Uint8Array) → result. The kernel reads or writes at least the request's own size. */
static napi_value ioctl_bytes(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int fd;
  unsigned long request;
  bool is_typed_array = false;
  napi_typedarray_type type;
  size_t length;
  void *bytes = NULL;
  if (!read_arguments(env, info, 3, values) || !read_request(env, values, &fd, &request)) return NULL;
  if (napi_is_typedarray(env, values[2], &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, values[2], &type, &length, &bytes, NULL, NULL) != napi_ok ||
      type != napi_uint8_array)
    return refuse(env, "expected a Uint8Array");
  /* The last guard before the kernel writes into this process's heap. */
  if (_IOC_SIZE(request) == 0 || length < _IOC_SIZE(request)) return refuse(env, "fewer bytes than the request takes");
  return give_result(env, ioctl(fd, request, bytes));
}

static void unmap(napi_env env, void *address, void *length) {
  (void)env;
  munmap(address, (size_t)(uintptr_t)length);
}

static napi_value give_mapping(napi_env env, void *address, size_t length) {
  napi_value value = NULL;
  if (address == MAP_FAILED) return give_result(env, -1);
  if (napi_create_external_arraybuffer(env, address, length, unmap, (void *)(uintptr_t)length, &value) != napi_ok) {
    munmap(address, length);
    napi_throw_error(env, NULL, "this JavaScript engine takes no memory from outside");
    return NULL;
  }
  return value;
}

/* (fd, length) → ArrayBuffer over the start of the file, shared with it, or -errno. Unmapped when collected. */
static napi_value map(napi_env env, napi_callback_info info) {
  napi_value values[2];
  double fd, length;
  if (!read_arguments(env, info, 2, values) || !read_number(env, values[0], INT32_MAX, &fd) ||
      !read_number(env, values[1], INT32_MAX, &length))
    return NULL;
  void *address = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
  return give_mapping(env, address, (size_t)length);
}

/* (length) → ArrayBuffer over zeroed pages of their own, or -errno. Unmapped when collected. */
static napi_value map_anonymous(napi_env env, napi_callback_info info) {
  napi_value values[1];
  double length;
  if (!read_arguments(env, info, 1, values) || !read_number(env, values[0], INT32_MAX, &length)) return NULL;
  void *address = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return give_mapping(env, address, (size_t)length);
}

/* (ArrayBuffer) → its address, for kvm_userspace_memory_region. The caller keeps the buffer alive. */
static napi_value address_of(napi_env env, napi_callback_info info) {
  napi_value values[1], value = NULL;
  void *data = NULL;
  size_t length;
  bool is_buffer = false;
  if (!read_arguments(env, info, 1, values)) return NULL;
  if (napi_is_arraybuffer(env, values[0], &is_buffer) != napi_ok || !is_buffer ||
      napi_get_arraybuffer_info(env, values[0], &data, &length) != napi_ok)
    return refuse(env, "expected an ArrayBuffer");
  napi_create_bigint_uint64(env, (uint64_t)(uintptr_t)data, &value);
  return value;
}

/*
 * (seconds) → 0. This process ends by SIGALRM after that, and by SIGKILL when its parent's thread ends: a vCPU
 * that never comes back must not outlive whoever asked. SIGALRM interrupts KVM_RUN, and its default action ends
 * the process.
 */
static napi_value end_with_parent_or_after(napi_env env, napi_callback_info info) {
  napi_value values[1];
  double seconds;
  if (!read_arguments(env, info, 1, values) || !read_number(env, values[0], 3600, &seconds)) return NULL;
  signal(SIGALRM, SIG_DFL);
  alarm((unsigned)seconds);
  return give_result(env, prctl(PR_SET_PDEATHSIG, SIGKILL));
}

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback call;
  } calls[] = {
      {"ioctlNumber", ioctl_number}, {"ioctlBytes", ioctl_bytes}, {"map", map},
      {"mapAnonymous", map_anonymous}, {"addressOf", address_of}, {"endWithParentOrAfter", end_with_parent_or_after},
  };
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    napi_value function;
    if (napi_create_function(env, calls[i].name, NAPI_AUTO_LENGTH, calls[i].call, NULL, &function) != napi_ok ||
        napi_set_named_property(env, exports, calls[i].name, function) != napi_ok)
      napi_throw_error(env, NULL, "kvm-ioctl: the native part could not register its calls");
  }
  return exports;
}
