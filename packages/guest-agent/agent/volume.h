/* Volumes: file systems on disks of the unit's own, found by the disk's serial number. */
#ifndef SPECTRUM_VOLUME_H
#define SPECTRUM_VOLUME_H

#include "request.h"

#include <sys/types.h>

/* NULL, or how the host broke the protocol. One request about volumes at a time. */
const char *volume_mount(const struct request *request);
void volume_cancel(uint32_t request);

/* The unit ends: what is asked for is not wanted any more. */
void volumes_give_up(void);

/* Tries the pending request again, if there is one. */
void volume_step(int64_t now);
/* Readable once a disk was mounted or could not be; -1 while none is being. */
int volume_fd(void);
/* Milliseconds until the next try, or -1. */
int volume_timeout(int64_t now);

/* Those that were mounted, in that order, and where. */
uint32_t volumes_count(void);
const char *volume_path(uint32_t index);
dev_t volume_device(uint32_t index);

#endif
