#define _GNU_SOURCE
#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A handle is an index into the table and, above it, how often that entry was used before: below 2^52. */
#define INDEX_BITS 20
#define MOST_OBJECTS (1u << INDEX_BITS)
#define MOST_HANDLE ((1ULL << 52) - 1)

static struct {
  pthread_mutex_t lock;
  struct object **objects;
  uint32_t *uses;
  uint32_t *free;
  uint32_t length, free_length;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool grow_table(void) {
  const uint32_t length = table.length == 0 ? 64 : table.length * 2;
  if (length > MOST_OBJECTS) return false;
  /* Each that succeeds stays, whatever becomes of the others. */
  struct object **objects = realloc(table.objects, length * sizeof *objects);
  if (objects != NULL) table.objects = objects;
  uint32_t *uses = realloc(table.uses, length * sizeof *uses);
  if (uses != NULL) table.uses = uses;
  uint32_t *free_list = realloc(table.free, length * sizeof *free_list);
  if (free_list != NULL) table.free = free_list;
  if (objects == NULL || uses == NULL || free_list == NULL) return false;
  for (uint32_t index = length; index-- > table.length;) {
    table.objects[index] = NULL;
    table.uses[index] = 1; /* no handle is 0 */
    table.free[table.free_length++] = index;
  }
  table.length = length;
  return true;
}

static void own(struct object *object, struct environment *owner) {
  object->owner = owner;
  if (owner == NULL) return;
  object->next_owned = owner->owned;
  if (owner->owned != NULL) owner->owned->owned_by = &object->next_owned;
  object->owned_by = &owner->owned;
  owner->owned = object;
}

static void disown(struct object *object) {
  if (object->owner == NULL) return;
  *object->owned_by = object->next_owned;
  if (object->next_owned != NULL) object->next_owned->owned_by = object->owned_by;
  object->owner = NULL;
}

struct object *new_object(int fd, struct object *parent, struct pages *memory, struct environment *owner) {
  struct object *object = calloc(1, sizeof *object);
  if (object == NULL) return NULL;
  object->fd = fd;
  object->parent = parent;
  object->memory = memory;
  atomic_init(&object->holders, 1);
  pthread_mutex_init(&object->lock, NULL);
  pthread_mutex_init(&object->entry, NULL);
  pthread_mutex_lock(&table.lock);
  const bool room = table.free_length > 0 || grow_table();
  if (room) {
    const uint32_t index = table.free[--table.free_length];
    table.objects[index] = object;
    object->handle = (uint64_t)table.uses[index] << INDEX_BITS | index;
    own(object, owner);
  }
  pthread_mutex_unlock(&table.lock);
  if (room) return object;
  pthread_mutex_destroy(&object->lock);
  pthread_mutex_destroy(&object->entry);
  free(object);
  return NULL;
}

static int acquire(uint64_t handle, const struct environment *caller, struct object **object) {
  const uint32_t index = handle & (MOST_OBJECTS - 1);
  int result = CLOSED;
  pthread_mutex_lock(&table.lock);
  if (index < table.length && table.objects[index] != NULL && table.objects[index]->handle == handle) {
    result = WRONG_THREAD;
    /* The entry holds it, so here it cannot be on its way out. */
    if (caller == NULL || table.objects[index]->owner == caller) {
      *object = table.objects[index];
      atomic_fetch_add(&(*object)->holders, 1);
      result = 0;
    }
  }
  pthread_mutex_unlock(&table.lock);
  return result;
}

/* The last hold is gone: nobody can name it, run it or be in a call with it. */
static void destroy(struct object *object) {
  if (object->fd >= 0) close(object->fd);
  for (struct slot *slot = object->slots, *next; slot != NULL; slot = next) {
    next = slot->next;
    let_go_of_pages(slot->pages);
    free(slot);
  }
  if (object->run != NULL) let_go_of_pages(object->run);
  if (object->memory != NULL) let_go_of_pages(object->memory);
  if (object->parent != NULL) release(object->parent);
  pthread_mutex_destroy(&object->lock);
  pthread_mutex_destroy(&object->entry);
  free(object);
}

void release(struct object *object) {
  if (atomic_fetch_sub(&object->holders, 1) == 1) destroy(object);
}

struct object *original(struct object *object) {
  struct object *found = object;
  while (found->is_duplicate) found = found->parent;
  return found;
}

static bool read_handle(napi_env env, napi_value value, const struct environment *caller, struct object **object,
                        napi_value *refusal) {
  uint64_t handle;
  *refusal = NULL;
  if (!read_whole(env, value, MOST_HANDLE, &handle)) return false;
  const int result = acquire(handle, caller, object);
  if (result == 0) return true;
  *refusal = give_int(env, result);
  return false;
}

bool read_object(napi_env env, napi_value value, struct object **object, napi_value *refusal) {
  return read_handle(env, value, environment_of(env), object, refusal);
}

bool read_anyones_object(napi_env env, napi_value value, struct object **object, napi_value *refusal) {
  return read_handle(env, value, NULL, object, refusal);
}

/* Takes the entry away from `object`: from then on its number means nothing. False when another was faster. */
static bool remove_entry(struct object *object) {
  const uint32_t index = object->handle & (MOST_OBJECTS - 1);
  pthread_mutex_lock(&table.lock);
  const bool ours = table.objects[index] == object;
  if (ours) {
    disown(object);
    table.objects[index] = NULL;
    /* An entry whose count is used up is not used again: no number may ever come back. */
    if (++table.uses[index] != 0) table.free[table.free_length++] = index;
  }
  pthread_mutex_unlock(&table.lock);
  return ours;
}

static void close_object(struct object *object) {
  stop_thread(object);
  if (remove_entry(object)) release(object);
}

/* (handle) → 0, or CLOSED. The descriptor itself closes when nothing made from it is left. */
static napi_value close_call(napi_env env, napi_callback_info info) {
  napi_value values[1], refusal = NULL;
  struct object *object;
  if (!read_arguments(env, info, 1, values) || !read_object(env, values[0], &object, &refusal)) return refusal;
  close_object(object);
  release(object);
  return give_int(env, 0);
}

static napi_value give_object(napi_env env, struct object *object) { return give_int(env, (int64_t)object->handle); }

/* () → handle of /dev/kvm, or -errno. */
static napi_value open_call(napi_env env, napi_callback_info info) {
  (void)info;
  const int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd < 0) return give_result(env, -1);
  struct object *object = new_object(fd, NULL, NULL, environment_of(env));
  if (object != NULL) return give_object(env, object);
  close(fd);
  return give_int(env, -ENOMEM);
}

/* (fd, parent) → handle, which owns the descriptor; it is closed when that fails: -errno or CLOSED. */
static napi_value adopt_call(napi_env env, napi_callback_info info) {
  napi_value values[2], refusal = NULL;
  uint64_t fd;
  struct object *parent;
  if (!read_arguments(env, info, 2, values) || !read_whole(env, values[0], INT32_MAX, &fd)) return NULL;
  if (!read_object(env, values[1], &parent, &refusal)) {
    close((int)fd);
    return refusal;
  }
  struct object *object = new_object((int)fd, parent, NULL, environment_of(env));
  if (object != NULL) return give_object(env, object);
  close((int)fd);
  release(parent);
  return give_int(env, -ENOMEM);
}

/* (handle) → the descriptor's number, borrowed; CLOSED, or -EBADF for memory. */
static napi_value descriptor_call(napi_env env, napi_callback_info info) {
  napi_value values[1], refusal = NULL;
  struct object *object;
  if (!read_arguments(env, info, 1, values) || !read_object(env, values[0], &object, &refusal)) return refusal;
  const int fd = object->fd;
  release(object);
  return give_int(env, fd < 0 ? -EBADF : fd);
}

/* (handle) → a second handle of the same, which no thread owns until one takes it; -errno or CLOSED. */
static napi_value share_call(napi_env env, napi_callback_info info) {
  napi_value values[1], refusal = NULL;
  struct object *object;
  if (!read_arguments(env, info, 1, values) || !read_object(env, values[0], &object, &refusal)) return refusal;
  int fd = -1;
  if (object->fd >= 0 && (fd = fcntl(object->fd, F_DUPFD_CLOEXEC, 3)) < 0) {
    const int problem = errno;
    release(object);
    return give_int(env, -problem);
  }
  /* The hold of `object` becomes that of the new one on its parent. */
  struct pages *memory = object->memory == NULL ? NULL : hold_pages(object->memory);
  struct object *second = new_object(fd, object, memory, NULL);
  if (second == NULL) {
    if (fd >= 0) close(fd);
    if (memory != NULL) let_go_of_pages(memory);
    release(object);
    return give_int(env, -ENOMEM);
  }
  second->is_duplicate = true;
  return give_object(env, second);
}

/* (handle) → 0: from now on the end of this thread closes it. CLOSED; -EBUSY when a thread owns it already. */
static napi_value take_call(napi_env env, napi_callback_info info) {
  napi_value values[1], refusal = NULL;
  struct object *object;
  if (!read_arguments(env, info, 1, values) || !read_anyones_object(env, values[0], &object, &refusal))
    return refusal;
  pthread_mutex_lock(&table.lock);
  const bool free_to_take = object->owner == NULL;
  if (free_to_take) own(object, environment_of(env));
  pthread_mutex_unlock(&table.lock);
  release(object);
  return give_int(env, free_to_take ? 0 : -EBUSY);
}

/* The thread ends: what it owned and did not close is closed. */
static void on_environment_end(void *data) {
  struct environment *environment = data;
  for (;;) {
    pthread_mutex_lock(&table.lock);
    struct object *object = environment->owned;
    if (object != NULL) atomic_fetch_add(&object->holders, 1);
    pthread_mutex_unlock(&table.lock);
    if (object == NULL) break;
    close_object(object);
    release(object);
  }
  delete_timer(environment);
  free(environment);
}

bool add_environment(napi_env env) {
  struct environment *environment = calloc(1, sizeof *environment);
  if (environment == NULL) return false;
  if (napi_set_instance_data(env, environment, NULL, NULL) == napi_ok &&
      napi_add_env_cleanup_hook(env, on_environment_end, environment) == napi_ok)
    return true;
  free(environment);
  return false;
}

struct environment *environment_of(napi_env env) {
  void *data = NULL;
  napi_get_instance_data(env, &data);
  return data;
}

bool add_object_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "open", open_call) && add_function(env, exports, "adopt", adopt_call) &&
         add_function(env, exports, "close", close_call) &&
         add_function(env, exports, "descriptor", descriptor_call) &&
         add_function(env, exports, "share", share_call) && add_function(env, exports, "take", take_call);
}
