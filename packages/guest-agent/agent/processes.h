/* All processes of the unit but the agent itself: whoever has no parent any more is a child of PID 1. */
#ifndef SPECTRUM_PROCESSES_H
#define SPECTRUM_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

/* As far as /proc tells; without the kernel's threads. */
uint32_t processes_count(void);
void processes_signal(int number);
/* Whether there is none, not even one that was not reaped yet. */
bool processes_are_gone(void);

#endif
