/*
 * Readiness of a descriptor, from the event loop that the calling thread already runs: no thread of our
 * own and no polling. One watch per descriptor and loop (libuv's rule).
 *
 * A watch is reachable from two sides, the loop and the JavaScript object, which let go in either order;
 * it is freed when both have.
 */
#include "marshal.h"
#include "uv_poll.h"

#include <stdlib.h>

static const napi_type_tag watch_tag = {0x5c1f0e6a94d34b7dULL, 0xa8b2f7d10c3e4956ULL};

struct watch {
  uv_poll_t *poll;
  struct uv_loop_s *loop;
  napi_env env;
  napi_ref callback;
  napi_async_cleanup_hook_handle cleanup;
  bool closing;
  int holders;
};

static void let_go(struct watch *watch) {
  watch->holders -= 1;
  if (watch->holders == 0) free(watch);
}

static void on_closed(uv_handle_t *handle) {
  struct watch *watch = uv_handle_get_data(handle);
  free(handle);
  watch->poll = NULL;
  /* Node waits for this at the end of an environment: only now may it close the loop. */
  napi_remove_async_cleanup_hook(watch->cleanup);
  let_go(watch);
}

static void close_watch(struct watch *watch) {
  if (watch->closing) return;
  watch->closing = true;
  if (watch->callback != NULL) napi_delete_reference(watch->env, watch->callback);
  watch->callback = NULL;
  uv_close((uv_handle_t *)watch->poll, on_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  close_watch(data);
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct watch *watch = data;
  close_watch(watch);
  let_go(watch);
}

/* Whether the answer was true. What the callback set off, promises and ticks, has run when this returns. */
static bool call_back(struct watch *watch, int status, int events) {
  napi_env env = watch->env;
  napi_handle_scope scope;
  bool again = false;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
  napi_value receiver, callback, arguments[3], result;
  if (napi_get_global(env, &receiver) == napi_ok &&
      napi_get_reference_value(env, watch->callback, &callback) == napi_ok && callback != NULL &&
      napi_create_int32(env, status, &arguments[0]) == napi_ok &&
      napi_create_int32(env, events, &arguments[1]) == napi_ok &&
      napi_create_double(env, (double)uv_now(watch->loop), &arguments[2]) == napi_ok) {
    /* `watch` may be closing after this call, never freed: its close callback runs in a later turn. */
    const napi_status called = napi_make_callback(env, NULL, receiver, callback, 3, arguments, &result);
    if (called == napi_pending_exception) {
      napi_value exception;
      if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
    } else if (called == napi_ok && napi_get_value_bool(env, result, &again) != napi_ok) again = false;
  }
  napi_close_handle_scope(env, scope);
  return again;
}

/*
 * Calls back with (status, events, turn): status is 0 or -errno, and turn the loop's time. As long as the answer is
 * true, calls back again with no events, in the same turn of the loop.
 */
static void on_ready(uv_poll_t *poll, int status, int events) {
  struct watch *watch = uv_handle_get_data((uv_handle_t *)poll);
  bool again = call_back(watch, status, events);
  while (again && !watch->closing) again = call_back(watch, 0, 0);
}

static bool unwrap(napi_env env, napi_value value, struct watch **watch) {
  bool ours = false;
  void *data = NULL;
  if (napi_check_object_type_tag(env, value, &watch_tag, &ours) != napi_ok || !ours ||
      napi_unwrap(env, value, &data) != napi_ok) {
    napi_throw_type_error(env, NULL, "expected a watch");
    return false;
  }
  *watch = data;
  return true;
}

/* (fd, callback) → a watch that is not started, or -errno. */
static napi_value watch_open_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int32_t fd;
  struct uv_loop_s *loop = NULL;
  if (!read_arguments(env, info, 2, values) || !read_int(env, values[0], &fd)) return NULL;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
    napi_throw_error(env, NULL, "no event loop on this thread");
    return NULL;
  }
  struct watch *watch = calloc(1, sizeof *watch);
  uv_poll_t *poll = calloc(1, uv_handle_size(UV_POLL));
  if (watch == NULL || poll == NULL) {
    free(watch);
    free(poll);
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  const int status = uv_poll_init(loop, poll, fd);
  if (status < 0) {
    free(watch);
    free(poll);
    return give_int(env, status);
  }
  /* From here the loop knows the handle: whatever fails is undone by closing it. */
  uv_handle_set_data((uv_handle_t *)poll, watch);
  watch->poll = poll;
  watch->loop = loop;
  watch->env = env;
  watch->holders = 1;
  napi_value object;
  if (napi_add_async_cleanup_hook(env, on_environment_end, watch, &watch->cleanup) != napi_ok ||
      napi_create_reference(env, values[1], 1, &watch->callback) != napi_ok ||
      napi_create_object(env, &object) != napi_ok || napi_type_tag_object(env, object, &watch_tag) != napi_ok ||
      napi_wrap(env, object, watch, on_collected, NULL, NULL) != napi_ok) {
    close_watch(watch);
    napi_throw_error(env, NULL, "the watch could not be made");
    return NULL;
  }
  watch->holders = 2;
  return object;
}

/* (watch, events) → 0 or -errno. No events stops it; a stopped watch does not keep the program alive. */
static napi_value watch_set_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct watch *watch;
  int32_t events;
  if (!read_arguments(env, info, 2, values) || !unwrap(env, values[0], &watch) ||
      !read_int(env, values[1], &events))
    return NULL;
  if (watch->closing) {
    napi_throw_error(env, NULL, "the watch is closed");
    return NULL;
  }
  const int wanted = events & (UV_READABLE | UV_WRITABLE);
  return give_int(env, wanted == 0 ? uv_poll_stop(watch->poll) : uv_poll_start(watch->poll, wanted, on_ready));
}

/* (watch, on): whether a started watch keeps the program alive. */
static napi_value watch_hold_call(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct watch *watch;
  int32_t on;
  if (!read_arguments(env, info, 2, values) || !unwrap(env, values[0], &watch) || !read_int(env, values[1], &on))
    return NULL;
  if (watch->closing) {
    napi_throw_error(env, NULL, "the watch is closed");
    return NULL;
  }
  if (on) uv_ref((uv_handle_t *)watch->poll);
  else uv_unref((uv_handle_t *)watch->poll);
  return NULL;
}

static napi_value watch_close_call(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct watch *watch;
  if (!read_arguments(env, info, 1, values) || !unwrap(env, values[0], &watch)) return NULL;
  close_watch(watch);
  return NULL;
}

bool add_watch_calls(napi_env env, napi_value exports) {
  return add_function(env, exports, "watchOpen", watch_open_call) &&
         add_function(env, exports, "watchSet", watch_set_call) &&
         add_function(env, exports, "watchHold", watch_hold_call) &&
         add_function(env, exports, "watchClose", watch_close_call);
}
