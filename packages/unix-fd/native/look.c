/*
 * Looking at descriptors for a moment without sleeping: cheaper than to be woken, while something is about to come.
 */
#include "marshal.h"
#include "uv_poll.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

/* The most descriptors that are looked at. */
enum { MOST_LOOKED_AT = 8 };
/* The longest look, in nanoseconds: nothing else runs on the calling thread meanwhile. */
enum { LONGEST_LOOK = 1000000 };
/* How a descriptor stands in the array: its number, what is wanted of it, and what was found. */
enum { NUMBER, WANTED, FOUND, WORDS };

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* () → nanoseconds of CLOCK_MONOTONIC. */
static napi_value now_call(napi_env env, napi_callback_info info) {
  (void)info;
  return give_int(env, now());
}

/*
 * (descriptors: Int32Array of number, wanted, found, count, nanoseconds) → how many are ready, 0 when the time is over.
 * `wanted` and `found` are libuv's events. An error or a hang-up is found as whatever is wanted, as libuv tells it: the
 * next call on the descriptor learns which.
 */
static napi_value look_call(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int32_t *words;
  size_t room, count, nanoseconds;
  if (!read_arguments(env, info, 3, values) || !read_ints(env, values[0], &words, &room) ||
      !read_size(env, values[1], &count) || !read_size(env, values[2], &nanoseconds))
    return NULL;
  if (count > MOST_LOOKED_AT || count * WORDS > room || nanoseconds > LONGEST_LOOK) {
    napi_throw_type_error(env, NULL, "more to look at, or longer, than is allowed");
    return NULL;
  }
  struct pollfd looked[MOST_LOOKED_AT];
  for (size_t i = 0; i < count; i++) {
    const int32_t wanted = words[i * WORDS + WANTED];
    looked[i] = (struct pollfd){
        .fd = words[i * WORDS + NUMBER],
        .events = (short)((wanted & UV_READABLE ? POLLIN : 0) | (wanted & UV_WRITABLE ? POLLOUT : 0)),
    };
  }
  const int64_t end = now() + (int64_t)nanoseconds;
  int ready;
  do ready = poll(looked, count, 0);
  while ((ready == 0 || (ready < 0 && errno == EINTR)) && now() < end);
  const int problem = errno;
  for (size_t i = 0; i < count && ready >= 0; i++) {
    const short events = looked[i].revents;
    int32_t found = (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0);
    if (events & (POLLERR | POLLHUP | POLLNVAL)) found = words[i * WORDS + WANTED];
    words[i * WORDS + FOUND] = found;
  }
  return give_int(env, ready < 0 ? -problem : ready);
}

bool add_look_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "now", now_call) && add_function(env, exports, "look", look_call);
}
