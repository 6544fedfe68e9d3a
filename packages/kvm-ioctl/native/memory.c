/*
 * Guest memory, and what KVM shares with us (kvm_run, the dirty ring), seen by JavaScript as an ArrayBuffer
 * without a copy.
 *
 * The same pages may be reachable from a JavaScript thread, from another and from a guest. Each of them holds the
 * pages, and they are unmapped when the last one lets go: were they unmapped earlier, the next mmap of this
 * process could put its own memory where the guest writes.
 */
#define _GNU_SOURCE
#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const napi_type_tag view_tag = {0x7d3e9a51c0b84f26ULL, 0x8f14b6e2a9d7053cULL};

struct pages *hold_pages(struct pages *pages) {
  atomic_fetch_add(&pages->holders, 1);
  return pages;
}

void let_go_of_pages(struct pages *pages) {
  if (atomic_fetch_sub(&pages->holders, 1) > 1) return;
  munmap(pages->address, pages->length);
  free(pages);
}

/* Maps and holds; NULL with errno. */
static struct pages *map_pages(size_t length, int protection, int flags, int fd, off_t offset) {
  struct pages *pages = malloc(sizeof *pages);
  if (pages == NULL) return NULL;
  void *address = mmap(NULL, length, protection, flags, fd, offset);
  if (address == MAP_FAILED) {
    const int problem = errno;
    free(pages);
    errno = problem;
    return NULL;
  }
  *pages = (struct pages){.address = address, .length = length};
  atomic_init(&pages->holders, 1);
  return pages;
}

/* An ArrayBuffer's hold of its pages. Two things know of it: the ArrayBuffer, and the memory behind it. */
struct view {
  struct pages *pages;
  int holders;
};

static void let_go_of_view(struct view *view) {
  view->holders -= 1;
  if (view->holders == 0) free(view);
}

static void end_view(struct view *view) {
  if (view->pages != NULL) let_go_of_pages(view->pages);
  view->pages = NULL;
}

/* No ArrayBuffer of this thread has the memory any more, or the thread ends. */
static void on_memory_released(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  end_view(hint);
  let_go_of_view(hint);
}

static void on_buffer_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  let_go_of_view(data);
}

/* An ArrayBuffer over pages, which it holds from then on; or -errno, and the pages are let go. */
static napi_value give_view(napi_env env, struct pages *pages) {
  struct view *view = malloc(sizeof *view);
  napi_value buffer, exception;
  if (view == NULL) {
    let_go_of_pages(pages);
    return give_int(env, -ENOMEM);
  }
  *view = (struct view){.pages = pages, .holders = 1};
  if (napi_create_external_arraybuffer(env, pages->address, pages->length, on_memory_released, view, &buffer) !=
      napi_ok) {
    end_view(view);
    let_go_of_view(view);
    /* Too long for this Node, or an engine that takes no memory from outside: a result like the others. */
    bool pending = false;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending)
      napi_get_and_clear_last_exception(env, &exception);
    return give_int(env, -ENOMEM);
  }
  view->holders = 2;
  if (napi_type_tag_object(env, buffer, &view_tag) != napi_ok ||
      napi_wrap(env, buffer, view, on_buffer_collected, NULL, NULL) != napi_ok) {
    let_go_of_view(view);
    napi_throw_error(env, NULL, "the memory could not be given to JavaScript");
    return NULL;
  }
  return buffer;
}

static napi_value give_memory(napi_env env, struct pages *pages, int fd) {
  if (pages == NULL) {
    const int problem = errno;
    if (fd >= 0) close(fd);
    return give_int(env, -problem);
  }
  struct object *object = new_object(fd, NULL, pages, environment_of(env));
  if (object != NULL) return give_int(env, (int64_t)object->handle);
  let_go_of_pages(pages);
  if (fd >= 0) close(fd);
  return give_int(env, -ENOMEM);
}

/* (length, hugePages) → handle of zeroed memory of its own, or -errno. */
static napi_value anonymous_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  uint64_t length, huge;
  if (!read_arguments(env, info, 2, values) || !read_whole(env, values[0], SIZE_MAX, &length) ||
      !read_whole(env, values[1], 1, &huge))
    return NULL;
  /* NORESERVE: a guest's memory costs what the guest touches. */
  const int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | (huge ? MAP_HUGETLB : 0);
  struct pages *pages = map_pages(length, PROT_READ | PROT_WRITE, flags, -1, 0);
  return give_memory(env, pages, -1);
}

/*
 * (length, hugePages) → handle of memory with a descriptor, which others may map: a memfd that can neither grow nor
 * shrink. Whoever shrinks a mapped file kills its readers.
 */
static napi_value memfd_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  uint64_t length, huge;
  if (!read_arguments(env, info, 2, values) || !read_whole(env, values[0], SIZE_MAX, &length) ||
      !read_whole(env, values[1], 1, &huge))
    return NULL;
  const int fd = memfd_create("guest-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0));
  if (fd < 0) return give_result(env, -1);
  struct pages *pages = NULL;
  if (ftruncate(fd, (off_t)length) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0)
    pages = map_pages(length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  return give_memory(env, pages, fd);
}

/*
 * (fd, offset, length, access, vouched) → handle of a part of a file, or -errno; the descriptor stays the caller's.
 * `access`: 0 a private copy, 1 the file itself, to be written to; 2 the file itself, of which JavaScript gets no
 * view. -ENXIO when the file ends before; -EPERM when it could shrink and nobody vouches that it will not.
 */
static napi_value file_call(napi_env env, napi_callback_info info) {
  napi_value values[5];
  uint64_t fd, offset, length, access, vouched;
  struct stat stat;
  if (!read_arguments(env, info, 5, values) || !read_whole(env, values[0], INT32_MAX, &fd) ||
      !read_whole(env, values[1], INT64_MAX, &offset) || !read_whole(env, values[2], SIZE_MAX, &length) ||
      !read_whole(env, values[3], 2, &access) || !read_whole(env, values[4], 1, &vouched))
    return NULL;
  if (fstat((int)fd, &stat) < 0) return give_result(env, -1);
  if (S_ISREG(stat.st_mode)) {
    if ((uint64_t)stat.st_size < offset || (uint64_t)stat.st_size - offset < length) return give_int(env, -ENXIO);
    const int seals = fcntl((int)fd, F_GET_SEALS);
    if (!vouched && (seals < 0 || !(seals & F_SEAL_SHRINK))) return give_int(env, -EPERM);
  }
  const int protection = access == 2 ? PROT_READ : PROT_READ | PROT_WRITE;
  const int flags = access == 0 ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED | MAP_NORESERVE;
  return give_memory(env, map_pages(length, protection, flags, (int)fd, (off_t)offset), -1);
}

/* (handle) → ArrayBuffer over all of the memory; -errno, CLOSED or WRONG_THREAD. Once per handle: one at a time. */
static napi_value bytes_call(napi_env env, napi_callback_info info) {
  napi_value values[1], refusal = NULL;
  struct object *object;
  if (!read_arguments(env, info, 1, values) || !read_object(env, values[0], &object, &refusal)) return refusal;
  napi_value result =
      object->memory == NULL ? give_int(env, -EBADF) : give_view(env, hold_pages(object->memory));
  release(object);
  return result;
}

/* (handle, offset, length) → ArrayBuffer over what KVM shares through the descriptor; -errno … */
static napi_value map_call(napi_env env, napi_callback_info info) {
  napi_value values[3], refusal = NULL;
  uint64_t offset, length;
  struct object *object;
  if (!read_arguments(env, info, 3, values) || !read_whole(env, values[1], INT64_MAX, &offset) ||
      !read_whole(env, values[2], SIZE_MAX, &length) || !read_object(env, values[0], &object, &refusal))
    return refusal;
  struct pages *pages = map_pages(length, PROT_READ | PROT_WRITE, MAP_SHARED, object->fd, (off_t)offset);
  napi_value result = pages == NULL ? give_result(env, -1) : give_view(env, pages);
  release(object);
  return result;
}

/* (vCPU, length) → ArrayBuffer over its kvm_run, which the calls that run it use from now on; -errno … */
static napi_value map_run_call(napi_env env, napi_callback_info info) {
  napi_value values[2], refusal = NULL;
  uint64_t length;
  struct object *object;
  if (!read_arguments(env, info, 2, values) || !read_whole(env, values[1], INT32_MAX, &length) ||
      !read_object(env, values[0], &object, &refusal))
    return refusal;
  struct object *vcpu = original(object);
  napi_value result;
  pthread_mutex_lock(&vcpu->lock);
  if (vcpu->run == NULL)
    vcpu->run = map_pages(length, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
  const int problem = errno;
  struct pages *run = vcpu->run;
  pthread_mutex_unlock(&vcpu->lock);
  result = run == NULL ? give_int(env, -problem) : give_view(env, hold_pages(run));
  release(object);
  return result;
}

/* (ArrayBuffer) → 0: every view of it is empty from then on. -EBUSY where its memory was moved to another one. */
static napi_value forget_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  bool ours = false, moved = false;
  void *data = NULL;
  if (!read_arguments(env, info, 1, values)) return NULL;
  if (napi_check_object_type_tag(env, values[0], &view_tag, &ours) != napi_ok || !ours)
    return refuse(env, "expected memory that this package gave");
  if (napi_remove_wrap(env, values[0], &data) != napi_ok) return give_int(env, -EINVAL);
  struct view *view = data;
  int result = 0;
  /* Only what was detached here is out of everyone's reach; what was moved stays until its new holder is gone. */
  if (napi_is_detached_arraybuffer(env, values[0], &moved) != napi_ok || moved) result = -EBUSY;
  else if (napi_detach_arraybuffer(env, values[0]) != napi_ok) result = -EBUSY;
  else end_view(view);
  let_go_of_view(view);
  return give_int(env, result);
}

static struct slot **find_slot(struct object *machine, uint32_t number) {
  struct slot **place = &machine->slots;
  while (*place != NULL && (*place)->number != number) place = &(*place)->next;
  return place;
}

/*
 * (machine, request, bytes, addressAt, slot, memory or 0, offset, length) → result of the request, with which a guest gets
 * a part of memory as its slot, or loses the slot when `memory` is 0. The machine holds the pages from then on.
 */
static napi_value set_slot_call(napi_env env, napi_callback_info info) {
  napi_value values[8], refusal = NULL;
  uint64_t request, at, number, offset, length, handle;
  uint8_t *bytes;
  size_t size;
  struct object *machine, *memory = NULL;
  if (!read_arguments(env, info, 8, values) || !read_whole(env, values[1], UINT32_MAX, &request) ||
      !read_bytes(env, values[2], &bytes, &size) || !read_whole(env, values[3], UINT32_MAX, &at) ||
      !read_whole(env, values[4], UINT32_MAX, &number) || !read_whole(env, values[5], UINT64_MAX >> 11, &handle) ||
      !read_whole(env, values[6], UINT64_MAX >> 11, &offset) || !read_whole(env, values[7], UINT64_MAX >> 11, &length))
    return NULL;
  if (_IOC_SIZE(request) == 0 || size < _IOC_SIZE(request)) return refuse(env, "fewer bytes than the request takes");
  if (size < sizeof(uint64_t) || at > size - sizeof(uint64_t)) return refuse(env, "no place for the address");
  if (!read_object(env, values[0], &machine, &refusal)) return refusal;
  if (handle != 0 && !read_object(env, values[5], &memory, &refusal)) {
    release(machine);
    return refusal;
  }
  struct pages *pages = NULL;
  if (memory != NULL) pages = memory->memory;
  /* What a guest may reach is what was mapped, not a byte more. */
  if (memory != NULL && (pages == NULL || offset > pages->length || length > pages->length - offset)) {
    release(memory);
    release(machine);
    return refuse(env, "a slot beyond the end of its memory");
  }
  struct slot *fresh = pages == NULL ? NULL : malloc(sizeof *fresh);
  int result = -ENOMEM;
  if (pages == NULL || fresh != NULL) {
    const uint64_t address = pages == NULL ? 0 : (uint64_t)(uintptr_t)pages->address + offset;
    memcpy(bytes + at, &address, sizeof address);
    struct object *holder = original(machine);
    pthread_mutex_lock(&holder->lock);
    do {
      result = ioctl(machine->fd, request, bytes);
      if (result < 0) result = -errno;
    } while (result == -EINTR);
    if (result >= 0) {
      struct slot **place = find_slot(holder, (uint32_t)number), *old = *place;
      if (old != NULL) {
        *place = old->next;
        let_go_of_pages(old->pages);
        free(old);
      }
      if (fresh != NULL) {
        *fresh = (struct slot){
            .next = holder->slots, .number = (uint32_t)number, .length = length, .pages = hold_pages(pages)};
        holder->slots = fresh;
        fresh = NULL;
      }
    }
    pthread_mutex_unlock(&holder->lock);
    memset(bytes + at, 0, sizeof address); /* an address is nobody's business */
  }
  free(fresh);
  if (memory != NULL) release(memory);
  release(machine);
  return give_int(env, result);
}

/* (machine, slot) → its bytes, -ENOENT without such a slot, or CLOSED. */
static napi_value slot_length_call(napi_env env, napi_callback_info info) {
  napi_value values[2], refusal = NULL;
  uint64_t number;
  struct object *machine;
  if (!read_arguments(env, info, 2, values) || !read_whole(env, values[1], UINT32_MAX, &number) ||
      !read_object(env, values[0], &machine, &refusal))
    return refusal;
  struct object *holder = original(machine);
  pthread_mutex_lock(&holder->lock);
  const struct slot *slot = *find_slot(holder, (uint32_t)number);
  const int64_t result = slot == NULL ? -ENOENT : (int64_t)slot->length;
  pthread_mutex_unlock(&holder->lock);
  release(machine);
  return give_int(env, result);
}

/*
 * (machine, request, bytes, addressAt, slot, bitmap) → result of the request, with which the kernel writes one bit for each
 * page of the slot, in words of 64. Another thread may have made the slot larger: -EOVERFLOW when it does not fit.
 */
static napi_value dirty_log_call(napi_env env, napi_callback_info info) {
  napi_value values[6], refusal = NULL;
  uint64_t request, at, number;
  uint8_t *bytes, *bitmap;
  size_t size, room;
  struct object *machine;
  if (!read_arguments(env, info, 6, values) || !read_whole(env, values[1], UINT32_MAX, &request) ||
      !read_bytes(env, values[2], &bytes, &size) || !read_whole(env, values[3], UINT32_MAX, &at) ||
      !read_whole(env, values[4], UINT32_MAX, &number) || !read_bytes(env, values[5], &bitmap, &room))
    return NULL;
  if (_IOC_SIZE(request) == 0 || size < _IOC_SIZE(request)) return refuse(env, "fewer bytes than the request takes");
  if (size < sizeof(uint64_t) || at > size - sizeof(uint64_t)) return refuse(env, "no place for the address");
  if (!read_object(env, values[0], &machine, &refusal)) return refusal;
  const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), address = (uint64_t)(uintptr_t)bitmap;
  struct object *holder = original(machine);
  int result = -ENOENT;
  /* While this is held, no slot changes. */
  pthread_mutex_lock(&holder->lock);
  const struct slot *slot = *find_slot(holder, (uint32_t)number);
  if (slot != NULL && (slot->length / page + 63) / 64 * 8 > room) {
    result = -EOVERFLOW;
  } else if (slot != NULL) {
    memcpy(bytes + at, &address, sizeof address);
    do {
      result = ioctl(machine->fd, request, bytes);
      if (result < 0) result = -errno;
    } while (result == -EINTR);
    memset(bytes + at, 0, sizeof address); /* an address is nobody's business */
  }
  pthread_mutex_unlock(&holder->lock);
  release(machine);
  return give_int(env, result);
}

bool add_memory_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "anonymousMemory", anonymous_call) &&
         add_function(env, exports, "memfdMemory", memfd_call) && add_function(env, exports, "fileMemory", file_call) &&
         add_function(env, exports, "bytesOf", bytes_call) && add_function(env, exports, "map", map_call) &&
         add_function(env, exports, "mapRun", map_run_call) && add_function(env, exports, "forget", forget_call) &&
         add_function(env, exports, "setSlot", set_slot_call) &&
         add_function(env, exports, "slotLength", slot_length_call) &&
         add_function(env, exports, "dirtyLog", dirty_log_call);
}
