/* Words for whoever reads the unit's console. */
#ifndef SPECTRUM_CONSOLE_H
#define SPECTRUM_CONSOLE_H

#include <stdint.h>

__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
/* Says it, then powers the unit off: PID 1 never simply dies, which would be a kernel panic. */
__attribute__((format(printf, 1, 2), noreturn)) void give_up(const char *format, ...);

/* Milliseconds, monotonic. */
int64_t now_ms(void);

#endif
