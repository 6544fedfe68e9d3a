/* Why a request failed, in the protocol's terms. */
#ifndef SPECTRUM_TROUBLE_H
#define SPECTRUM_TROUBLE_H

#include "protocol.h"

#include <stdbool.h>
#include <stdint.h>

struct trouble {
	uint8_t kind;
	int error;
	const char *feature;
	char message[LIMIT_MESSAGE_BYTES];
};

/* Always false, so that a function can return it. */
__attribute__((format(printf, 5, 6))) bool trouble(struct trouble *t, uint8_t kind, int error, const char *feature,
                                                   const char *format, ...);

#endif
