/*
 * The requests themselves: ioctl, and reading and writing where KVM's descriptors know that. A result is the value
 * or -errno, CLOSED, WRONG_THREAD, or RUNNING when a thread is in the vCPU: the kernel would let us wait for it.
 */
#define _GNU_SOURCE
#include "object.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

/* An ioctl has at most so many addresses in its structure: KVM_X86_SET_MSR_FILTER has 16. */
#define MOST_PLACES 16
#define FIRST_PLACE 3

/* As often as no run of signals interrupts one request. */
#define MOST_TRIES 10000

/*
 * A request that a signal interrupted did nothing, or says how far it came: it is made again. The signal may be our
 * own, which lets workers out of KVM_RUN (KVM_CREATE_VM is one that minds). Not for ever, since EINTR may be no signal
 * at all: KVM_GET_TSC_KHZ answers with 32 bits, of which the highest 4095 numbers look like errors.
 */
static long ask_again(int fd, unsigned long request, unsigned long argument) {
  for (int tries = 1;; tries++) {
    const int result = ioctl(fd, request, argument);
    if (result >= 0) return result;
    /* The other numbers with the highest bit leave errno as it was. */
    if (result < -1) errno = EOVERFLOW;
    if (errno != EINTR || tries == MOST_TRIES) return -1;
  }
}

static bool is_for_anybody(unsigned long request) {
#ifndef __x86_64__
  /* Elsewhere the kernel takes this one from any thread, at any time. */
  if (request == KVM_INTERRUPT) return true;
#endif
  (void)request;
  return false;
}

/* A vCPU that runs is not asked, and one that is asked does not begin to run. */
static napi_value ask(napi_env env, struct object *object, unsigned long request, unsigned long argument) {
  struct object *vcpu = original(object);
  if (atomic_load(&vcpu->run) == NULL || is_for_anybody(request))
    return give_result(env, ask_again(object->fd, request, argument));
  pthread_mutex_lock(&vcpu->entry);
  const bool runs = atomic_load(&vcpu->runner) != 0;
  const long result = runs ? RUNNING : ask_again(object->fd, request, argument);
  const int problem = errno;
  pthread_mutex_unlock(&vcpu->entry);
  if (runs) return give_int(env, RUNNING);
  errno = problem;
  return give_result(env, result);
}

/* (handle, request, argument: number | bigint) → result. For requests whose argument is a number, or nothing. */
static napi_value ioctl_number(napi_env env, napi_callback_info info) {
  napi_value values[3], refusal = NULL;
  struct object *object;
  uint64_t request, argument;
  if (!read_arguments(env, info, 3, values) || !read_whole(env, values[1], UINT32_MAX, &request) ||
      !read_word(env, values[2], &argument))
    return NULL;
  /* A request that carries a structure would make the kernel follow this number as an address. */
  if (_IOC_SIZE(request) != 0) return refuse(env, "this request takes bytes");
  if (!read_object(env, values[0], &object, &refusal)) return refusal;
  napi_value result = ask(env, object, request, argument);
  release(object);
  return result;
}

struct place {
  uint8_t *at;
  uint64_t address;
};

/*
 * (handle, request, bytes, [offset, memory]…) → result. The address of each `memory` stands at its offset in `bytes` for
 * the length of the call. The kernel reads or writes at least the request's own size, and as much of the memories
 * as the request says. A few requests take a structure without saying so in their number.
 */
static napi_value ioctl_bytes(napi_env env, napi_callback_info info) {
  napi_value values[FIRST_PLACE + 2 * MOST_PLACES], refusal = NULL;
  size_t given = sizeof values / sizeof values[0], length;
  struct object *object;
  uint64_t request;
  uint8_t *bytes;
  struct place places[MOST_PLACES];
  size_t count = 0;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok || given < FIRST_PLACE)
    return refuse(env, "too few arguments");
  if (given > sizeof values / sizeof values[0]) return refuse(env, "too many addresses");
  if (!read_whole(env, values[1], UINT32_MAX, &request) || !read_bytes(env, values[2], &bytes, &length)) return NULL;
  /* The last guard before the kernel writes into this process's heap. */
  if (length < _IOC_SIZE(request)) return refuse(env, "fewer bytes than the request takes");
  for (size_t argument = FIRST_PLACE; argument < given; argument += 2) {
    uint64_t offset;
    uint8_t *memory;
    size_t size;
    if (argument + 1 == given) return refuse(env, "an address without its memory");
    if (!read_whole(env, values[argument], UINT32_MAX, &offset) ||
        !read_bytes(env, values[argument + 1], &memory, &size))
      return NULL;
    if (length < sizeof(uint64_t) || offset > length - sizeof(uint64_t)) return refuse(env, "no place for the address");
    places[count++] = (struct place){.at = bytes + offset, .address = size == 0 ? 0 : (uint64_t)(uintptr_t)memory};
  }
  if (!read_object(env, values[0], &object, &refusal)) return refusal;
  for (size_t i = 0; i < count; i++) memcpy(places[i].at, &places[i].address, sizeof places[i].address);
  napi_value result = ask(env, object, request, (unsigned long)(uintptr_t)bytes);
  /* An address is nobody's business. */
  for (size_t i = 0; i < count; i++) memset(places[i].at, 0, sizeof places[i].address);
  release(object);
  return result;
}

/* (handle, bytes, position) → how many bytes were read from there; position -1 is where the descriptor stands. */
static napi_value read_call(napi_env env, napi_callback_info info) {
  napi_value values[3], refusal = NULL;
  struct object *object;
  uint8_t *bytes;
  size_t length;
  int32_t position;
  if (!read_arguments(env, info, 3, values) || !read_bytes(env, values[1], &bytes, &length) ||
      !read_int(env, values[2], &position) || !read_object(env, values[0], &object, &refusal))
    return refusal;
  napi_value result = give_result(env, position < 0 ? read(object->fd, bytes, length)
                                                    : pread(object->fd, bytes, length, position));
  release(object);
  return result;
}

/* (handle, bytes) → how many bytes were written. */
static napi_value write_call(napi_env env, napi_callback_info info) {
  napi_value values[2], refusal = NULL;
  struct object *object;
  uint8_t *bytes;
  size_t length;
  if (!read_arguments(env, info, 2, values) || !read_bytes(env, values[1], &bytes, &length) ||
      !read_object(env, values[0], &object, &refusal))
    return refusal;
  napi_value result = give_result(env, write(object->fd, bytes, length));
  release(object);
  return result;
}

/*
 * (seconds) → 0. This process ends by SIGALRM after that, and by SIGKILL when its parent's thread ends: a vCPU
 * that never comes back must not outlive whoever asked. SIGALRM interrupts KVM_RUN, and its default action ends
 * the process.
 */
static napi_value end_with_parent_or_after(napi_env env, napi_callback_info info) {
  napi_value values[1];
  uint64_t seconds;
  if (!read_arguments(env, info, 1, values) || !read_whole(env, values[0], 3600, &seconds)) return NULL;
  signal(SIGALRM, SIG_DFL);
  alarm((unsigned)seconds);
  return give_result(env, prctl(PR_SET_PDEATHSIG, SIGKILL));
}

bool add_request_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "ioctlNumber", ioctl_number) &&
         add_function(env, exports, "ioctlBytes", ioctl_bytes) && add_function(env, exports, "read", read_call) &&
         add_function(env, exports, "write", write_call) &&
         add_function(env, exports, "endWithParentOrAfter", end_with_parent_or_after);
}
