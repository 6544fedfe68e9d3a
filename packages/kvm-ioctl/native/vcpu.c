/*
 * KVM_RUN, and how a thread is let out of it.
 *
 * A kick sets the stop word, then immediate_exit, then signals the thread. The signal ends a KVM_RUN in progress;
 * immediate_exit ends one that begins after the signal came, which without it would be the race that loses kicks.
 * Whoever leaves KVM_RUN with EINTR clears immediate_exit before it looks at the stop word, so a kick that comes in
 * between sets it again: the worst that can happen is one KVM_RUN too many that returns at once.
 */
#define _GNU_SOURCE
#include "object.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * How long a worker that is being terminated may stay in KVM_RUN. Nothing tells native code of a termination; it
 * happens when JavaScript runs next. So a thread that runs a vCPU comes back to JavaScript now and then.
 */
#define TICK_NANOSECONDS (100 * 1000 * 1000L)

static int kick_signal;
static pthread_once_t choose_once = PTHREAD_ONCE_INIT;

/* Interrupts KVM_RUN by being delivered. A timer's signal says whose timer has to be set again. */
static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)context;
  if (info->si_code != SI_TIMER) return;
  struct environment *environment = info->si_value.sival_ptr;
  atomic_store(&environment->armed, false);
}

/* A real-time signal that nobody uses; Node's own are others. */
static void choose_signal(void) {
  for (int number = SIGRTMIN + 1; number <= SIGRTMAX; number++) {
    struct sigaction old, ours = {.sa_flags = SA_SIGINFO | SA_RESTART};
    if (sigaction(number, NULL, &old) < 0 || (old.sa_flags & SA_SIGINFO) || old.sa_handler != SIG_DFL) continue;
    ours.sa_sigaction = on_signal;
    sigemptyset(&ours.sa_mask);
    if (sigaction(number, &ours, NULL) < 0) continue;
    kick_signal = number;
    return;
  }
}

bool prepare_kicks(void) {
  pthread_once(&choose_once, choose_signal);
  return kick_signal != 0;
}

static pid_t this_thread(void) {
  static _Thread_local pid_t known;
  if (known == 0) known = (pid_t)syscall(SYS_gettid);
  return known;
}

static _Atomic uint8_t *immediate_exit(struct object *vcpu) {
  return (_Atomic uint8_t *)&((struct kvm_run *)atomic_load(&vcpu->run)->address)->immediate_exit;
}

void interrupt(struct object *vcpu) {
  if (atomic_load(&vcpu->run) != NULL) atomic_store(immediate_exit(vcpu), 1);
  const int runner = atomic_load(&vcpu->runner);
  /* The thread may have left by now, even ended: then another of ours gets a signal that does nothing. */
  if (runner != 0) syscall(SYS_tgkill, getpid(), runner, kick_signal);
}

void kick(struct object *vcpu) {
  atomic_store(&vcpu->kicked, 1);
  interrupt(vcpu);
}

void forget_interrupt(struct object *vcpu) {
  atomic_store(immediate_exit(vcpu), 0);
  if (atomic_load(&vcpu->kicked)) atomic_store(immediate_exit(vcpu), 1);
}

int run_once(struct object *vcpu) {
  int nobody = 0;
  if (!atomic_compare_exchange_strong(&vcpu->runner, &nobody, this_thread())) return RUNNING;
  /* Whoever asks from now on is refused; who was asking already is waited for. */
  pthread_mutex_lock(&vcpu->entry);
  pthread_mutex_unlock(&vcpu->entry);
  int result = ioctl(vcpu->fd, KVM_RUN, 0);
  if (result < 0) result = -errno;
  if (result == -EINTR) {
    atomic_store(immediate_exit(vcpu), 0);
    if (atomic_exchange(&vcpu->kicked, 0)) result = 1;
  }
  atomic_store(&vcpu->runner, 0);
  return result;
}

void delete_timer(struct environment *environment) {
  if (environment->has_timer) timer_delete((timer_t)environment->timer);
  environment->has_timer = false;
}

static bool arm_timer(struct environment *environment) {
  if (atomic_load(&environment->armed)) return true;
  if (!environment->has_timer) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = kick_signal};
    event.sigev_value.sival_ptr = environment;
    event._sigev_un._tid = this_thread();
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0) return false;
    environment->timer = (void *)timer;
    environment->has_timer = true;
  }
  atomic_store(&environment->armed, true);
  const struct itimerspec soon = {.it_value.tv_nsec = TICK_NANOSECONDS};
  return timer_settime((timer_t)environment->timer, 0, &soon, NULL) == 0;
}

/* (vCPU) → 0 for an exit, 1 when kicked, -EINTR to run it again, or what went wrong. Blocks as long as the guest runs. */
static napi_value run_call(napi_env env, napi_callback_info info) {
  napi_value values[1], refusal = NULL;
  struct object *object;
  if (!read_arguments(env, info, 1, values) || !read_object(env, values[0], &object, &refusal)) return refusal;
  struct object *vcpu = original(object);
  int result = -ENXIO; /* its kvm_run is not mapped: it is no vCPU */
  if (atomic_load(&vcpu->run) != NULL) {
    if (arm_timer(environment_of(env))) result = run_once(vcpu);
    else result = -errno;
  }
  release(object);
  return give_int(env, result);
}

/* (vCPU) → 0. From any thread. One that is not running is let out of its next run. */
static napi_value kick_call(napi_env env, napi_callback_info info) {
  napi_value values[1], refusal = NULL;
  struct object *object;
  if (!read_arguments(env, info, 1, values) || !read_anyones_object(env, values[0], &object, &refusal))
    return refusal;
  kick(original(object));
  release(object);
  return give_int(env, 0);
}

bool add_vcpu_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "run", run_call) && add_function(env, exports, "kick", kick_call);
}
