/* The answers that many requests share. */
#ifndef SPECTRUM_ANSWER_H
#define SPECTRUM_ANSWER_H

#include "trouble.h"

void answer_done(uint32_t request);
void answer_failure(uint32_t request, const struct trouble *why);
/* Refused with this errno; the message says what it means, in the kernel's words. */
__attribute__((format(printf, 3, 4))) void answer_refusal(uint32_t request, int error, const char *format, ...);

#endif
