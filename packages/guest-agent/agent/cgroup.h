/* One cgroup (version 2) per command: to see the OOM killer at work, and to kill what forked away. */
#ifndef SPECTRUM_CGROUP_H
#define SPECTRUM_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/* Mounts the hierarchy. Without it the functions below do nothing. */
void cgroup_open(void);
/* Makes the command's cgroup; returns its cgroup.procs for writing, or -1. The caller closes it. */
int cgroup_make(uint32_t command);
/* Kills every process in it. */
void cgroup_kill(uint32_t command);
/* Whether the OOM killer took a process of it. */
bool cgroup_saw_oom(uint32_t command);
/* Removes it, or leaves it to a later call while left-over processes live in it. */
void cgroup_remove(uint32_t command);

#endif
