/* Mounts of disks, each by a process of its own: one that does not answer holds up nobody else. */
#ifndef SPECTRUM_MOUNTER_H
#define SPECTRUM_MOUNTER_H

#include "devices.h"
#include "trouble.h"

#include <stdbool.h>
#include <sys/types.h>

struct mount_wish {
	char device[DEVICE_PATH_BYTES];
	char serial[LIMIT_SERIAL_BYTES + 1];
	char file_system[LIMIT_FILE_SYSTEM_BYTES + 1];
	bool read_only;
};

/* Starts a process that mounts; false: `why` says why not. One at a time. */
bool mounter_begin(const struct mount_wish *wish, struct trouble *why);
/* Readable once there is a result; -1 while nothing is being mounted. */
int mounter_fd(void);

enum mounter_state { MOUNTER_WORKS, MOUNTER_DONE, MOUNTER_FAILED };

/* What has become of it. MOUNTER_DONE: `mounted` is a mount that is nowhere yet. MOUNTER_FAILED: `why` says why. */
enum mounter_state mounter_result(int *mounted, struct trouble *why);
/* Nobody wants it any more. What it mounts after all is let go. */
void mounter_give_up(void);

/* Some process has been reaped. */
void mounter_reaped(pid_t pid);
/* Processes that were given up and have not ended: their disks do not answer. */
uint32_t mounters_hanging(void);

enum mounter_hold { HOLD_NONE, HOLD_ENDS, HOLD_HANGS };

/* Whether one of them holds this disk still: HOLD_ENDS as long as it may be ending, HOLD_HANGS afterwards. */
enum mounter_hold mounter_hold(const char *serial);

#endif
