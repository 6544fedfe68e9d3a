/* Randomness from the host: two units that were one once must not draw the same numbers. */
#ifndef SPECTRUM_ENTROPY_H
#define SPECTRUM_ENTROPY_H

#include "request.h"

/* Credits the bytes and makes the kernel's generator use them now. Returns NULL. */
const char *entropy_add(const struct request *request);

#endif
