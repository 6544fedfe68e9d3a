/*
 * Files in memory, seen by JavaScript as an ArrayBuffer without a copy.
 *
 * A mapping must outlive everything that can reach its bytes. `unmap` detaches the ArrayBuffer first, which
 * empties every view of it, and only then unmaps. Where the ArrayBuffer's memory was moved to another one
 * (ArrayBuffer.prototype.transfer), that other one is out of reach from here: then the collector unmaps when it
 * has gone. So the record of a mapping has two holders, the ArrayBuffer it was made with and the memory.
 */
#define _GNU_SOURCE
#include "marshal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

static const napi_type_tag mapping_tag = {0x2f6b7c1de8a94a03ULL, 0x91d7e3c45b2f8a60ULL};

struct mapping {
  void *address;
  size_t length;
  int holders;
};

static void let_go(struct mapping *mapping) {
  mapping->holders -= 1;
  if (mapping->holders == 0) free(mapping);
}

static void unmap_once(struct mapping *mapping) {
  if (mapping->address != NULL) munmap(mapping->address, mapping->length);
  mapping->address = NULL;
}

/* No ArrayBuffer has the memory any more, or the environment ends. */
static void on_memory_released(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  unmap_once(hint);
  let_go(hint);
}

static void on_buffer_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  let_go(data);
}

/* (fd, offset, length, shared) → ArrayBuffer, or -errno. What is not shared is copied when it is written to. */
static napi_value map_call(napi_env env, napi_callback_info info) {
  napi_value values[4], buffer;
  int32_t fd, shared;
  size_t offset, length;
  if (!read_arguments(env, info, 4, values) || !read_int(env, values[0], &fd) ||
      !read_size(env, values[1], &offset) || !read_size(env, values[2], &length) ||
      !read_int(env, values[3], &shared))
    return NULL;
  struct mapping *mapping = calloc(1, sizeof *mapping);
  if (mapping == NULL) return give_int(env, -ENOMEM);
  /*
   * Both are writable memory: JavaScript has no read-only ArrayBuffer, and a stray write into PROT_READ would
   * kill the program. NORESERVE, because such writes are not expected.
   */
  void *address =
      mmap(NULL, length, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE, fd, (off_t)offset);
  if (address == MAP_FAILED) {
    const int problem = errno;
    free(mapping);
    return give_int(env, -problem);
  }
  mapping->address = address;
  mapping->length = length;
  mapping->holders = 1;
  if (napi_create_external_arraybuffer(env, address, length, on_memory_released, mapping, &buffer) != napi_ok) {
    unmap_once(mapping);
    free(mapping);
    /* Node throws where it has no ArrayBuffer of that length: it becomes a result like the others. */
    napi_value exception;
    bool pending = false;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending)
      napi_get_and_clear_last_exception(env, &exception);
    return give_int(env, -ENOMEM);
  }
  mapping->holders = 2;
  if (napi_type_tag_object(env, buffer, &mapping_tag) != napi_ok ||
      napi_wrap(env, buffer, mapping, on_buffer_collected, NULL, NULL) != napi_ok) {
    let_go(mapping);
    napi_throw_error(env, NULL, "the mapping could not be made");
    return NULL;
  }
  return buffer;
}

/* (ArrayBuffer) → 0; -EBUSY where its memory was moved to another ArrayBuffer, -EINVAL where it is unmapped. */
static napi_value unmap_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  bool ours = false, moved = false;
  void *data = NULL;
  if (!read_arguments(env, info, 1, values)) return NULL;
  if (napi_check_object_type_tag(env, values[0], &mapping_tag, &ours) != napi_ok || !ours) {
    napi_throw_type_error(env, NULL, "expected a mapping");
    return NULL;
  }
  if (napi_remove_wrap(env, values[0], &data) != napi_ok) return give_int(env, -EINVAL);
  struct mapping *mapping = data;
  int result = 0;
  if (napi_is_detached_arraybuffer(env, values[0], &moved) != napi_ok || moved) result = -EBUSY;
  else if (napi_detach_arraybuffer(env, values[0]) != napi_ok) result = -EBUSY;
  else unmap_once(mapping);
  let_go(mapping);
  return give_int(env, result);
}

bool add_mapping_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "map", map_call) && add_function(env, exports, "unmap", unmap_call);
}
