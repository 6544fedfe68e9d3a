/* The control channel: one non-blocking descriptor, a bounded buffer in each direction. */
#ifndef SPECTRUM_CHANNEL_H
#define SPECTRUM_CHANNEL_H

#include "wire.h"

/* Above this no more command output is taken in, */
#define CHANNEL_OUTPUT_MARK (256 * 1024)
/* above this no more requests are read, */
#define CHANNEL_REQUEST_MARK (384 * 1024)
/* and what is left holds what running commands may still have to report: ends, outcomes, credits. */
#define CHANNEL_CAPACITY (640 * 1024)

void channel_open(int fd);
int channel_fd(void);
/* Poll events that the channel waits for now. */
short channel_events(void);
bool channel_takes_output(void);

/* Bytes from the host, as far as there is room. False once the host is gone. */
bool channel_receive(void);
/* The next whole frame (type byte and what follows), or false. Valid until the next call. Gives up on a bad length. */
bool channel_next(const uint8_t **body, size_t *size);

/* Begins a frame and ends it; between the two, write its fields. */
struct writer channel_begin(uint8_t type);
void channel_end(struct writer *w);

/* Writes what the host takes. False once the host is gone. */
bool channel_flush(void);
/* Flushes for at most so long; for last words. */
void channel_drain(int milliseconds);

#endif
