/*
 * The part of libuv's stable 1.x interface that this addon uses. Node exports these symbols, but the
 * Node-API header package does not carry uv.h. Handles stay opaque: libuv itself says how large one is.
 */
#ifndef SPECTRUM_UV_POLL_H
#define SPECTRUM_UV_POLL_H

#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
typedef struct uv_handle_s uv_handle_t;
typedef struct uv_poll_s uv_poll_t;

/* enum uv_handle_type and enum uv_poll_event, fixed for all of libuv 1.x. */
enum { UV_POLL = 8 };
enum { UV_READABLE = 1, UV_WRITABLE = 2 };

/* Milliseconds, as the loop last read them: the same for all that one look at its descriptors found. */
extern uint64_t uv_now(const struct uv_loop_s *loop);
extern size_t uv_handle_size(int type);
extern void uv_handle_set_data(uv_handle_t *handle, void *data);
extern void *uv_handle_get_data(const uv_handle_t *handle);
extern void uv_ref(uv_handle_t *handle);
extern void uv_unref(uv_handle_t *handle);
extern void uv_close(uv_handle_t *handle, void (*on_closed)(uv_handle_t *));
extern int uv_poll_init(struct uv_loop_s *loop, uv_poll_t *handle, int fd);
extern int uv_poll_start(uv_poll_t *handle, int events, void (*on_ready)(uv_poll_t *, int status, int events));
extern int uv_poll_stop(uv_poll_t *handle);

#endif
