/* One EROFS image over persistent memory, mounted so that file data is mapped and never copied. */
#ifndef SPECTRUM_IMAGE_H
#define SPECTRUM_IMAGE_H

#include "devices.h"

/* Why something failed, in the protocol's terms. */
struct trouble {
	uint8_t kind;
	int error;
	const char *feature;
	char message[LIMIT_MESSAGE_BYTES];
};

__attribute__((format(printf, 5, 6))) bool trouble(struct trouble *t, uint8_t kind, int error, const char *feature,
                                                   const char *format, ...);

/*
 * Mounts devices[0] (the metadata image) with the others as its device table, at `target`. False with the
 * trouble told, and nothing mounted.
 */
bool mount_image(const char *target, char (*devices)[DEVICE_PATH_BYTES], size_t count, struct trouble *why);

#endif
