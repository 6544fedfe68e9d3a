/* Persistent memory and disks, found by the trailer of what they hold: numbers follow probing and mean nothing. */
#ifndef SPECTRUM_DEVICES_H
#define SPECTRUM_DEVICES_H

#include "request.h"

#define DEVICE_PATH_BYTES 32

/*
 * Looks for `count` ids (DEVICE_ID_BYTES each) among the devices that are there now, and writes each one's path.
 * Returns how many were found; *missing is the index of the first that was not.
 */
size_t find_devices(const char *ids, size_t count, char (*paths)[DEVICE_PATH_BYTES], size_t *missing);

bool is_persistent_memory(const char *path);

/* Looks for virtio disks with this serial number; returns how many there are, and the path of the first. */
size_t find_disks_by_serial(const char *serial, char path[DEVICE_PATH_BYTES]);

/*
 * The driver that the kernel lacks for a device of the machine (`virtio_pmem`, `virtio_blk`, `virtiofs`), or NULL:
 * such a device never appears, however long one waits.
 */
const char *missing_driver(void);
/* Whether it is this one that a device of the machine wants, and the kernel lacks. */
bool lacks_driver(const char *driver);

#endif
