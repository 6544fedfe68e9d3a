/* What is in /nix/store, as PID 1 itself reads it. One request at a time. */
#ifndef SPECTRUM_LISTING_H
#define SPECTRUM_LISTING_H

#include <stdint.h>

/* Returns NULL, or how the host broke the protocol. */
const char *listing_begin(uint32_t request);
/* Sends the next names, as far as the channel takes them. */
void listing_step(void);
/* 0 while there is more to send at once, else -1. */
int listing_timeout(void);

#endif
