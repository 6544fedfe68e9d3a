/* One EROFS image over the unit's devices. */
#ifndef SPECTRUM_IMAGE_H
#define SPECTRUM_IMAGE_H

#include "devices.h"
#include "trouble.h"

/*
 * Mounts devices[0] (the metadata image) with the others as its device table, at `target`. Over persistent memory
 * file data is mapped and never copied, or it is a failure; *dax says whether it is. Block devices are read into
 * the page cache like any disk. False with the trouble told, and nothing mounted.
 */
bool mount_image(const char *target, char (*devices)[DEVICE_PATH_BYTES], size_t count, bool *dax, struct trouble *why);

#endif
