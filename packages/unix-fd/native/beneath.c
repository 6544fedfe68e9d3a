/*
 * Files by a directory's descriptor. Paths are bytes: JavaScript gives them as strings of one character per byte.
 * How far a path may lead is the caller's to say, in `resolve`: the kernel keeps to it.
 */
#define _GNU_SOURCE
#include "marshal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* PATH_MAX, with the NUL. */
enum { PATH_ROOM = 4096 };
/* UIO_MAXIOV: what one preadv takes. */
enum { MOST_PIECES = 1024 };
/* Entries of what `statAt` fills in. */
enum { STAT_WORDS = 9 };

static void put_halves(int32_t *out, uint64_t number) {
  out[0] = (int32_t)(uint32_t)number;
  out[1] = (int32_t)(uint32_t)(number >> 32);
}

/* (directory, path, flags, resolve) → descriptor. openat2(2). */
static napi_value open_beneath_call(napi_env env, napi_callback_info info) {
  napi_value values[4];
  int32_t directory, flags;
  size_t resolve;
  char path[PATH_ROOM];
  if (!read_arguments(env, info, 4, values) || !read_int(env, values[0], &directory) ||
      !read_byte_text(env, values[1], path, sizeof path) || !read_int(env, values[2], &flags) ||
      !read_size(env, values[3], &resolve))
    return NULL;
  struct open_how how = {.flags = (uint32_t)flags | O_CLOEXEC, .resolve = resolve};
  return give_result(env, syscall(SYS_openat2, directory, path, &how, sizeof how));
}

/*
 * (directory, name, out: Int32Array(9)) → 0; out holds the mode, then size, device, inode and mount as two halves
 * each, the low one first. The mount is 0 before Linux 5.8. The empty name is the descriptor's own file. statx(2),
 * which follows nothing at the end.
 */
static napi_value stat_at_call(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int32_t directory, *out;
  size_t length;
  char name[PATH_ROOM];
  if (!read_arguments(env, info, 3, values) || !read_int(env, values[0], &directory) ||
      !read_byte_text(env, values[1], name, sizeof name) || !read_ints(env, values[2], &out, &length))
    return NULL;
  if (length < STAT_WORDS) {
    napi_throw_type_error(env, NULL, "expected room for nine numbers");
    return NULL;
  }
  struct statx found = {0};
  const int result = statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH,
                           STATX_BASIC_STATS | STATX_MNT_ID, &found);
  if (result == 0) {
    out[0] = found.stx_mode;
    put_halves(out + 1, found.stx_size);
    put_halves(out + 3, (uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor);
    put_halves(out + 5, found.stx_ino);
    put_halves(out + 7, (found.stx_mask & STATX_MNT_ID) != 0 ? found.stx_mnt_id : 0);
  }
  return give_result(env, result);
}

/* (directory, name, bytes) → how long the target is, cut at the length of `bytes`. readlinkat(2). */
static napi_value read_link_at_call(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int32_t directory;
  uint8_t *bytes;
  size_t length;
  char name[PATH_ROOM];
  if (!read_arguments(env, info, 3, values) || !read_int(env, values[0], &directory) ||
      !read_byte_text(env, values[1], name, sizeof name) || !read_bytes(env, values[2], &bytes, &length))
    return NULL;
  /* An empty array may have no address at all. */
  if (length == 0) return give_int(env, -EINVAL);
  return give_result(env, readlinkat(directory, name, (char *)bytes, length));
}

/* (directory, bytes, again) → how many bytes of linux_dirent64 records follow; `again` begins anew. getdents64(2). */
static napi_value list_call(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int32_t directory, again;
  uint8_t *bytes;
  size_t length;
  if (!read_arguments(env, info, 3, values) || !read_int(env, values[0], &directory) ||
      !read_bytes(env, values[1], &bytes, &length) || !read_int(env, values[2], &again))
    return NULL;
  if (again && lseek(directory, 0, SEEK_SET) < 0) return give_result(env, -1);
  return give_result(env, syscall(SYS_getdents64, directory, bytes, length));
}

/*
 * (fd, position, bytes, pieces: Int32Array, count) → how many bytes. `pieces` holds `count` pairs, an offset into
 * `bytes` and a length, which are filled in order. preadv(2).
 */
static napi_value read_pieces_call(napi_env env, napi_callback_info info) {
  napi_value values[5];
  int32_t fd, *pieces;
  uint8_t *bytes;
  size_t position, length, words, count;
  if (!read_arguments(env, info, 5, values) || !read_int(env, values[0], &fd) ||
      !read_size(env, values[1], &position) || !read_bytes(env, values[2], &bytes, &length) ||
      !read_ints(env, values[3], &pieces, &words) || !read_size(env, values[4], &count))
    return NULL;
  if (count > MOST_PIECES || count * 2 > words) {
    napi_throw_type_error(env, NULL, "more pieces than there is room for");
    return NULL;
  }
  struct iovec vector[MOST_PIECES];
  for (size_t i = 0; i < count; i++) {
    const int32_t from = pieces[i * 2], size = pieces[i * 2 + 1];
    /* The bytes of every piece lie within the array: the kernel writes there. */
    if (from < 0 || size < 0 || (size_t)from > length || (size_t)size > length - (size_t)from) {
      napi_throw_type_error(env, NULL, "a piece beyond the end of its array");
      return NULL;
    }
    vector[i].iov_base = bytes + from;
    vector[i].iov_len = (size_t)size;
  }
  return give_result(env, preadv(fd, vector, (int)count, (off_t)position));
}

bool add_beneath_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "openBeneath", open_beneath_call) &&
         add_function(env, exports, "statAt", stat_at_call) &&
         add_function(env, exports, "readLinkAt", read_link_at_call) &&
         add_function(env, exports, "list", list_call) &&
         add_function(env, exports, "readPieces", read_pieces_call);
}
