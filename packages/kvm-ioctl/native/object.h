/*
 * What JavaScript holds by a number: descriptors that KVM handed out, and guest memory.
 *
 * A number names an entry of one table for the whole process, so it means the same in every thread; a number that
 * was closed never means anything again. An object lives while anything holds it: its entry, a call that uses it, a
 * thread that runs it, an object made from it. Only then is its descriptor closed and what it kept let go, so no
 * call ever meets a descriptor number that is already another file's, and no guest meets memory that is not its
 * own any more, in whatever order JavaScript closes things or a thread ends.
 */
#ifndef SPECTRUM_KVM_OBJECT_H
#define SPECTRUM_KVM_OBJECT_H

#include "marshal.h"

#include <pthread.h>
#include <stdatomic.h>

/* Answers that are no errno (those are above -4096). */
enum { CLOSED = -5000, RUNNING = -5001, PENDING = -5002, WRONG_THREAD = -5003 };

/* Mapped memory. It is unmapped when nobody can reach it: no ArrayBuffer, no object, no slot of a machine. */
struct pages {
  void *address;
  size_t length;
  atomic_int holders;
};

struct pages *hold_pages(struct pages *pages);
void let_go_of_pages(struct pages *pages);

/* Memory that a machine's guest can reach: one entry per slot. */
struct slot {
  struct slot *next;
  uint32_t number;
  uint64_t length; /* bytes */
  struct pages *pages;
};

struct vcpu_thread;
struct environment;

struct object {
  atomic_int holders;
  uint64_t handle;
  /* Whose end closes it; NULL while it is on its way between threads. Guarded by the table's lock. */
  struct environment *owner;
  struct object *next_owned, **owned_by;

  /* A descriptor, or -1 for memory. */
  int fd;
  /* What has to stay as long as this: a vCPU's machine, or what this is a second descriptor of. */
  struct object *parent;
  bool is_duplicate;

  struct pages *memory;

  pthread_mutex_t lock;
  /* Of a machine; guarded by `lock`. */
  struct slot *slots;
  /* Of a vCPU: its kvm_run. Written once, under `lock`. */
  struct pages *_Atomic run;
  atomic_int runner; /* the thread in KVM_RUN, or about to be; 0 when there is none */
  /*
   * Of a vCPU: held by a request from before it looks for a runner until the kernel has answered. A runner says that it
   * is one and then takes it once before it runs; otherwise the guest could begin between that look and the request,
   * and the kernel keep the request for as long as the guest runs.
   */
  pthread_mutex_t entry;
  atomic_int kicked; /* the stop word */
  struct vcpu_thread *thread;
};

/* What belongs to one JavaScript thread. */
struct environment {
  struct object *owned;
  /* The timer that lets a terminated worker out of KVM_RUN; see vcpu.c. */
  bool has_timer;
  void *timer;
  atomic_bool armed;
};

bool add_environment(napi_env env);
struct environment *environment_of(napi_env env);

/* Takes over `fd` and one hold of `parent` and of `memory`; NULL when there is no room, with nothing taken. */
struct object *new_object(int fd, struct object *parent, struct pages *memory, struct environment *owner);
void release(struct object *object);
/* The object that keeps the state: of a second descriptor the first one. */
struct object *original(struct object *object);

/*
 * The object that an argument names, held. Otherwise false, and what to answer: CLOSED, WRONG_THREAD when another
 * JavaScript thread owns it, or NULL with an exception pending.
 */
bool read_object(napi_env env, napi_value value, struct object **object, napi_value *refusal);
/* The same, whichever thread owns it. */
bool read_anyones_object(napi_env env, napi_value value, struct object **object, napi_value *refusal);

/* vcpu_thread.c: ends a vCPU's own thread and waits for it. */
void stop_thread(struct object *vcpu);
/* vcpu.c */
void delete_timer(struct environment *environment);
/* Lets the thread in KVM_RUN out of it, or the next one, which says that it was kicked. */
void kick(struct object *vcpu);
/* The same without a word to JavaScript, and taking it back: a kick that came meanwhile stays. */
void interrupt(struct object *vcpu);
void forget_interrupt(struct object *vcpu);
/* KVM_RUN once: 0 for an exit, 1 when kicked, or -errno; -EINTR for any other signal. */
int run_once(struct object *vcpu);
bool prepare_kicks(void);

bool add_object_calls(napi_env env, napi_value exports);
bool add_memory_calls(napi_env env, napi_value exports);
bool add_request_calls(napi_env env, napi_value exports);
bool add_vcpu_calls(napi_env env, napi_value exports);
bool add_thread_calls(napi_env env, napi_value exports);

#endif
