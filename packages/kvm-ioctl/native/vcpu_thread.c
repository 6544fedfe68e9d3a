/*
 * A thread of its own for a vCPU, so that a guest runs while JavaScript does other things: never on the event loop,
 * and never in libuv's pool, whose four threads file access shares.
 *
 * It waits for a command, runs the vCPU until an exit and tells JavaScript. Telling costs a turn of the event loop;
 * so whoever gave the command may look for the exit for a moment first, and the thread may look for its next command
 * before it sleeps. Between two exits nothing but two words in memory changes hands then.
 */
#define _GNU_SOURCE
#include "object.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  IDLE,
  RUN,          /* the giver of the command looks for the result itself */
  RUN_AND_TELL, /* nobody looks: JavaScript has to be told */
  DONE
};

enum { UNKNOWN = -1 };

struct vcpu_thread {
  struct object *vcpu;
  pthread_t thread;
  napi_env env;
  napi_threadsafe_function tell;
  /* A futex: the thread sleeps on it. */
  _Atomic uint32_t state;
  atomic_bool asleep, quit, ended;
  _Atomic int64_t linger; /* nanoseconds */
  /* The processor that each was last seen on; UNKNOWN while the thread sleeps, for it may wake on any. */
  _Atomic int thread_processor, giver_processor;
  /* These are handed over by `state`. */
  int64_t took; /* nanoseconds */
  int result;
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static inline void pause_processor(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#elif defined(__powerpc64__)
  __asm__ volatile("or 27,27,27");
#endif
}

static bool is_command(uint32_t state) { return state == RUN || state == RUN_AND_TELL; }
static bool is_done(uint32_t state) { return state == DONE; }

/*
 * Looks until the state is as wanted, at most so long. Where the other one waits for this very processor, as the
 * scheduler likes to arrange for who wakes whom, looking would keep it from doing what is looked for: it gets the
 * processor instead.
 */
static bool look_for(struct vcpu_thread *thread, bool (*wanted)(uint32_t), _Atomic int *other, int64_t nanoseconds) {
  const int64_t end = nanoseconds <= 0 ? 0 : now() + nanoseconds;
  for (;;) {
    if (wanted(atomic_load_explicit(&thread->state, memory_order_acquire))) return true;
    if (end == 0 || atomic_load(&thread->quit)) return false;
    const int processor = atomic_load(other);
    if (processor == UNKNOWN || processor == sched_getcpu()) sched_yield();
    else
      for (int i = 0; i < 32; i++) pause_processor();
    if (now() >= end) return wanted(atomic_load(&thread->state));
  }
}

/* False when the thread has to end. */
static bool wait_for_command(struct vcpu_thread *thread) {
  for (;;) {
    if (atomic_load(&thread->quit)) return false;
    if (look_for(thread, is_command, &thread->giver_processor, atomic_load(&thread->linger))) return true;
    atomic_store(&thread->thread_processor, UNKNOWN);
    atomic_store(&thread->asleep, true);
    const uint32_t state = atomic_load(&thread->state);
    /* A command changes the state before it looks whether anybody sleeps, so one of the two is seen. */
    if (!is_command(state) && !atomic_load(&thread->quit))
      syscall(SYS_futex, &thread->state, FUTEX_WAIT_PRIVATE, state, NULL, NULL, 0);
    atomic_store(&thread->asleep, false);
    if (is_command(atomic_load(&thread->state))) return true;
  }
}

static int run_until_exit(struct vcpu_thread *thread) {
  for (;;) {
    const int result = run_once(thread->vcpu);
    if (result != -EINTR || atomic_load(&thread->quit)) return result;
  }
}

static void *serve(void *data) {
  struct vcpu_thread *thread = data;
  while (wait_for_command(thread)) {
    atomic_store(&thread->thread_processor, sched_getcpu());
    const int64_t begin = now();
    thread->result = run_until_exit(thread);
    thread->took = now() - begin;
    const uint32_t command = atomic_exchange(&thread->state, DONE);
    if (command == RUN_AND_TELL && !atomic_load(&thread->quit))
      napi_call_threadsafe_function(thread->tell, NULL, napi_tsfn_nonblocking);
  }
  atomic_store(&thread->ended, true);
  return NULL;
}

/* Interrupts until it is seen to have ended: one time too many does no harm. */
static void end_thread(struct vcpu_thread *thread) {
  atomic_store(&thread->quit, true);
  while (!atomic_load(&thread->ended)) {
    interrupt(thread->vcpu);
    syscall(SYS_futex, &thread->state, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    const struct timespec moment = {.tv_nsec = 200 * 1000};
    nanosleep(&moment, NULL);
  }
  pthread_join(thread->thread, NULL);
  forget_interrupt(thread->vcpu);
}

/* Registered after the threadsafe function, so it comes before Node takes that away at the end of a JavaScript thread. */
static void on_environment_end(void *data) {
  struct object *object = data;
  stop_thread(object);
}

void stop_thread(struct object *object) {
  struct vcpu_thread *thread = object->thread;
  if (thread == NULL) return;
  object->thread = NULL;
  end_thread(thread);
  napi_remove_env_cleanup_hook(thread->env, on_environment_end, object);
  /* What is still on its way finds no context: aborted functions are not called. */
  napi_release_threadsafe_function(thread->tell, napi_tsfn_abort);
  release(thread->vcpu);
  free(thread);
}

/* On the JavaScript thread: hands over (result, nanoseconds that the run took) unless the thread was stopped meanwhile. */
static void tell(napi_env env, napi_value callback, void *context, void *data) {
  (void)data;
  struct object *object = context;
  if (env == NULL || object->thread == NULL) return;
  struct vcpu_thread *thread = object->thread;
  uint32_t done = DONE;
  if (!atomic_compare_exchange_strong(&thread->state, &done, IDLE)) return;
  napi_value receiver, told[] = {give_int(env, thread->result), give_int(env, thread->took)};
  if (told[0] == NULL || told[1] == NULL || napi_get_undefined(env, &receiver) != napi_ok) return;
  napi_call_function(env, receiver, callback, 2, told, NULL);
}

static void on_finalized(napi_env env, void *data, void *context) {
  (void)env;
  (void)data;
  release(context);
}

/* (vCPU, callback) → 0. The callback hears the results that `threadRun` answered PENDING for. -EEXIST when it has one. */
static napi_value start_call(napi_env env, napi_callback_info info) {
  napi_value values[2], name, refusal = NULL;
  napi_valuetype type;
  struct object *object;
  if (!read_arguments(env, info, 2, values)) return NULL;
  if (napi_typeof(env, values[1], &type) != napi_ok || type != napi_function) return refuse(env, "expected a function");
  if (!read_object(env, values[0], &object, &refusal)) return refusal;
  struct object *vcpu = original(object);
  int problem = atomic_load(&vcpu->run) == NULL ? ENXIO : object->thread != NULL ? EEXIST : 0;
  struct vcpu_thread *thread = problem == 0 ? calloc(1, sizeof *thread) : NULL;
  if (problem == 0 && thread == NULL) problem = ENOMEM;
  if (problem != 0) {
    release(object);
    return give_int(env, -problem);
  }
  thread->env = env;
  thread->vcpu = vcpu;
  atomic_fetch_add(&vcpu->holders, 1);
  /* The hold of `object` becomes the threadsafe function's, which may call back later than the object is closed. */
  if (napi_create_string_utf8(env, "vcpu", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, values[1], NULL, name, 0, 1, NULL, on_finalized, object, tell,
                                      &thread->tell) != napi_ok) {
    release(vcpu);
    release(object);
    free(thread);
    return give_int(env, -ENOMEM);
  }
  napi_unref_threadsafe_function(env, thread->tell);
  napi_add_env_cleanup_hook(env, on_environment_end, object);
  /* Signals meant for the process are the JavaScript thread's. */
  sigset_t all, before;
  sigfillset(&all);
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) sigdelset(&all, number);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  problem = pthread_create(&thread->thread, NULL, serve, thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (problem == 0) {
    object->thread = thread;
    return give_int(env, 0);
  }
  napi_remove_env_cleanup_hook(env, on_environment_end, object);
  napi_release_threadsafe_function(thread->tell, napi_tsfn_abort);
  release(vcpu);
  free(thread);
  return give_int(env, -problem);
}

/*
 * (vCPU, nanoseconds) → the result of the run, as `run` gives it, if it is there within that time; else PENDING, and the
 * callback will hear it. -EBUSY while a run is in progress, -ESRCH without a thread.
 */
static napi_value run_call(napi_env env, napi_callback_info info) {
  napi_value values[2], refusal = NULL;
  uint64_t nanoseconds;
  struct object *object;
  if (!read_arguments(env, info, 2, values) || !read_whole(env, values[1], 1000000, &nanoseconds) ||
      !read_object(env, values[0], &object, &refusal))
    return refusal;
  struct vcpu_thread *thread = object->thread;
  int result = thread == NULL ? -ESRCH : PENDING;
  uint32_t idle = IDLE, running = RUN;
  if (thread != NULL && !atomic_compare_exchange_strong(&thread->state, &idle, nanoseconds == 0 ? RUN_AND_TELL : RUN))
    result = -EBUSY;
  if (result == PENDING) {
    atomic_store(&thread->linger, (int64_t)nanoseconds);
    atomic_store(&thread->giver_processor, sched_getcpu());
    if (atomic_load(&thread->asleep)) syscall(SYS_futex, &thread->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    if (nanoseconds != 0 && (look_for(thread, is_done, &thread->thread_processor, (int64_t)nanoseconds) ||
                             !atomic_compare_exchange_strong(&thread->state, &running, RUN_AND_TELL))) {
      result = thread->result;
      atomic_store(&thread->state, IDLE);
    }
  }
  release(object);
  return give_int(env, result);
}

/* (vCPU) → 0: kicked, waited for, gone. What it was about to tell is not told. */
static napi_value stop_call(napi_env env, napi_callback_info info) {
  napi_value values[1], refusal = NULL;
  struct object *object;
  if (!read_arguments(env, info, 1, values) || !read_object(env, values[0], &object, &refusal)) return refusal;
  stop_thread(object);
  release(object);
  return give_int(env, 0);
}

/* (vCPU, 0 or 1) → 0: whether the thread keeps the program from ending. At the start it does not. */
static napi_value hold_call(napi_env env, napi_callback_info info) {
  napi_value values[2], refusal = NULL;
  uint64_t hold;
  struct object *object;
  if (!read_arguments(env, info, 2, values) || !read_whole(env, values[1], 1, &hold) ||
      !read_object(env, values[0], &object, &refusal))
    return refusal;
  if (object->thread != NULL) {
    if (hold) napi_ref_threadsafe_function(env, object->thread->tell);
    else napi_unref_threadsafe_function(env, object->thread->tell);
  }
  release(object);
  return give_int(env, 0);
}

bool add_thread_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "threadStart", start_call) && add_function(env, exports, "threadRun", run_call) &&
         add_function(env, exports, "threadStop", stop_call) && add_function(env, exports, "threadHold", hold_call);
}
