#define _GNU_SOURCE
#include "marshal.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* The kernel's SCM_MAX_FD: the most descriptors one message can carry. */
enum { MOST_DESCRIPTORS = 253 };

union control {
  struct cmsghdr header; /* for its alignment */
  char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
};

static napi_value refuse(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

/*
 * (fd, bytes: Uint8Array, start, size, descriptors: Int32Array, first, count) → bytes taken. Ranges instead of
 * subarrays: a caller keeps one array of each kind for all its messages.
 */
static napi_value send_call(napi_env env, napi_callback_info info) {
  napi_value values[7];
  int32_t fd;
  uint8_t *bytes;
  int32_t *descriptors;
  size_t room, start, length, most, first, count;
  if (!read_arguments(env, info, 7, values) || !read_int(env, values[0], &fd) ||
      !read_bytes(env, values[1], &bytes, &room) || !read_range(env, values[2], values[3], room, &start, &length) ||
      !read_ints(env, values[4], &descriptors, &most) ||
      !read_range(env, values[5], values[6], most, &first, &count))
    return NULL;
  if (count > MOST_DESCRIPTORS) return refuse(env, "more descriptors than one message can carry");

  struct iovec data = {.iov_base = bytes + start, .iov_len = length};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  union control control;
  if (count > 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    /* The padding behind the last descriptor, too, belongs to what the kernel reads. */
    memset(&control, 0, message.msg_controllen);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    /* CMSG_DATA may be unaligned for int: copy. */
    memcpy(CMSG_DATA(header), descriptors + first, count * sizeof(int));
  }
  return give_result(env, sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

/*
 * (fd, bytes: Uint8Array, out: Int32Array(2 + most), most) → bytes received.
 * out[0] becomes the flags (MSG_TRUNC, MSG_CTRUNC), out[1] the count of descriptors, which follow. Every
 * descriptor the kernel installed is reported, also when the message was truncated: the caller closes them.
 */
static napi_value receive_call(napi_env env, napi_callback_info info) {
  napi_value values[4];
  int32_t fd, most;
  uint8_t *bytes;
  int32_t *out;
  size_t length, room;
  if (!read_arguments(env, info, 4, values) || !read_int(env, values[0], &fd) ||
      !read_bytes(env, values[1], &bytes, &length) || !read_ints(env, values[2], &out, &room) ||
      !read_int(env, values[3], &most))
    return NULL;
  if (most < 0 || most > MOST_DESCRIPTORS || room < (size_t)most + 2)
    return refuse(env, "no room for that many descriptors");

  union control control;
  struct iovec data = {.iov_base = bytes, .iov_len = length};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  if (most > 0) {
    message.msg_control = control.bytes;
    /* CMSG_LEN, not CMSG_SPACE: the kernel would fill the padding with one more descriptor than asked for. */
    message.msg_controllen = CMSG_LEN((size_t)most * sizeof(int));
  }
  const ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  int32_t count = 0;
  if (received >= 0) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      const size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      /* Cannot exceed `most`: the kernel wrote no more than the control length it was given. */
      if (here > (size_t)(most - count)) break;
      memcpy(&out[2 + count], CMSG_DATA(header), here * sizeof(int));
      count += (int32_t)here;
    }
    out[0] = message.msg_flags;
  } else {
    out[0] = 0;
  }
  out[1] = count;
  return give_result(env, received);
}

bool add_message_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "send", send_call) && add_function(env, exports, "receive", receive_call);
}
