/* The end of the unit in order: ask, wait, kill, unmount, write back, power off, and tell the host each step. */
#ifndef SPECTRUM_SHUTDOWN_H
#define SPECTRUM_SHUTDOWN_H

#include "request.h"

/* NULL, or how the host broke the protocol. */
const char *shutdown_begin(const struct request *request);
/* Takes the next step if it is due. Does not return from the last. */
void shutdown_step(int64_t now);
/* Milliseconds until a step is due without any event, or -1. */
int shutdown_timeout(int64_t now);

#endif
