/* From the kernel's bare root to a place where programs can run. */
#ifndef SPECTRUM_BOOT_H
#define SPECTRUM_BOOT_H

/* Mounts what every program expects, opens the console as 0, 1 and 2. */
void boot_mounts(void);
/*
 * Loads what /modules/load lists, in order: first as far as the control port needs, then the rest. The memory
 * that the files took is freed on the way.
 */
void boot_channel_modules(void);
void boot_store_modules(void);
/* Makes / read-only, as far as the kernel allows. */
void boot_seal(void);
/* Lets a directory be made in /, to mount something on; seal it again at once. */
void boot_unseal(void);

/* A socket that hears the kernel's device events, or -1. */
int open_device_events(void);
/* Throws away what it has to say: it only wakes. */
void drain_device_events(int fd);

#endif
