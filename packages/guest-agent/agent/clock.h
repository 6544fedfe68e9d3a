/* The unit's wall clock, which stood still while the unit did. */
#ifndef SPECTRUM_CLOCK_H
#define SPECTRUM_CLOCK_H

#include "request.h"

/* Sets it and answers what it said before. Returns NULL. */
const char *clock_set(const struct request *request);

#endif
