#define _GNU_SOURCE
#include "marshal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* The kernel's SCM_MAX_FD: the most descriptors one message can carry. */
enum { MOST_DESCRIPTORS = 253 };
/* The most messages that are received at once. */
enum { MOST_SLOTS = 64 };

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

/* What a received message says of itself, before its descriptors. */
enum { FLAGS, LENGTH, COUNT, DESCRIPTORS };

/* Reports every descriptor the kernel installed, also when the message was truncated: the caller closes them. */
static void report_message(struct msghdr *message, unsigned length, int32_t most, int32_t *out) {
  int32_t count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    /* Cannot exceed `most`: the kernel wrote no more than the control length it was given. */
    if (here > (size_t)(most - count)) break;
    memcpy(&out[DESCRIPTORS + count], CMSG_DATA(header), here * sizeof(int));
    count += (int32_t)here;
  }
  out[FLAGS] = message->msg_flags;
  out[LENGTH] = (int32_t)length;
  out[COUNT] = count;
}

/*
 * (fd, bytes: Uint8Array, out: Int32Array(slots * (3 + most)), most, slots) → messages received.
 * Each slot has an equal part of `bytes`, and in `out` flags (MSG_TRUNC, MSG_CTRUNC), length, count and the
 * descriptors. Several slots cost one system call, and save the one that would find out that no more is there.
 */
static napi_value receive_call(napi_env env, napi_callback_info info) {
  napi_value values[5];
  int32_t fd, most, slots;
  uint8_t *bytes;
  int32_t *out;
  size_t length, room;
  if (!read_arguments(env, info, 5, values) || !read_int(env, values[0], &fd) ||
      !read_bytes(env, values[1], &bytes, &length) || !read_ints(env, values[2], &out, &room) ||
      !read_int(env, values[3], &most) || !read_int(env, values[4], &slots))
    return NULL;
  if (slots < 1 || slots > MOST_SLOTS) return refuse(env, "no number of slots");
  if (most < 0 || most > MOST_DESCRIPTORS || room / (size_t)slots < (size_t)most + DESCRIPTORS)
    return refuse(env, "no room for that many descriptors");

  const size_t part = length / (size_t)slots, stride = room / (size_t)slots;
  /* CMSG_LEN, not CMSG_SPACE: the kernel would fill the padding with one more descriptor than asked for. */
  const size_t control_length = most > 0 ? CMSG_LEN((size_t)most * sizeof(int)) : 0;
  union control controls[MOST_SLOTS];
  struct iovec data[MOST_SLOTS];
  struct mmsghdr messages[MOST_SLOTS];
  for (int32_t i = 0; i < slots; i++) {
    data[i] = (struct iovec){.iov_base = bytes + (size_t)i * part, .iov_len = part};
    messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &data[i],
                                               .msg_iovlen = 1,
                                               .msg_control = most > 0 ? controls[i].bytes : NULL,
                                               .msg_controllen = control_length}};
  }
  int received;
  if (slots == 1) {
    const ssize_t taken = recvmsg(fd, &messages[0].msg_hdr, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    messages[0].msg_len = taken < 0 ? 0 : (unsigned)taken;
    received = taken < 0 ? -1 : 1;
  } else received = recvmmsg(fd, messages, (unsigned)slots, MSG_CMSG_CLOEXEC | MSG_DONTWAIT, NULL);
  const int problem = errno;
  for (int i = 0; i < received; i++)
    report_message(&messages[i].msg_hdr, messages[i].msg_len, most, out + (size_t)i * stride);
  return give_int(env, received < 0 ? -problem : received);
}

bool add_message_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "send", send_call) && add_function(env, exports, "receive", receive_call);
}
