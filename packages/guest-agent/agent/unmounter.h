/* Unmounts and write-backs at the end, each by a process of its own: a disk that does not answer holds up nobody else. */
#ifndef SPECTRUM_UNMOUNTER_H
#define SPECTRUM_UNMOUNTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Begins to unmount all volumes, the last that was mounted first. Harmless a second time; `unmounter_step` goes on with it. */
void unmounter_begin(void);
bool unmounter_has_begun(void);
/* Takes the next volume when it is its turn. */
void unmounter_step(int64_t now);
/* Every volume is unmounted, or stays mounted, or was given up. */
bool unmounter_is_done(void);
/* Milliseconds until a step is due without any event, or -1. */
int unmounter_timeout(int64_t now);
/* What is not done by now is not waited for any longer. Returns how many volumes are mounted still. */
uint32_t unmounter_give_up(void);

/* Begins to write back what is dirty anywhere; with nothing to wait for where a disk is known to hang. */
void write_back_begin(void);
bool write_back_is_done(void);
/* It is not waited for any longer. Returns whether everything was written. */
bool write_back_give_up(void);

/* Some process has been reaped. `well`: it exited with 0. */
void unmounter_reaped(pid_t pid, bool well);
/* Its processes that have not ended. */
uint32_t unmounters_hanging(void);

#endif
