/* Stream sockets of programs in the unit, carried to the host: a bounded table of them, with credits. */
#ifndef SPECTRUM_STREAM_H
#define SPECTRUM_STREAM_H

#include "request.h"

#include <poll.h>

/* A program called: tells the host and owns `fd` from now on. Closes it when as many calls are open as may be. */
void stream_called(int fd, const char *service);

/* Each of these returns NULL, or how the host broke the protocol. */
const char *stream_connect(const struct request *request);
/* A file that is put or got. */
const char *stream_file(const struct request *request);
const char *stream_send(const struct request *request);
const char *stream_send_end(const struct request *request);
const char *stream_receive_credit(const struct request *request);
const char *stream_receive_stop(uint32_t id);
const char *stream_reset(uint32_t id);

/* Takes the sockets of files away from whoever puts or gets them; the host hears the ends of their streams. */
void stream_hang_up_files(void);

/* Adds the descriptors that have something to wait for; returns the new count. `set` stays until streams_step. */
size_t streams_poll(struct pollfd *set, size_t count);
/* Moves what can be moved, reports what is new. */
void streams_step(void);

/* The most descriptors that streams_poll adds. */
#define STREAMS_MAX_FDS (LIMIT_OPEN_CALLS + LIMIT_OPEN_CONNECTIONS)

#endif
