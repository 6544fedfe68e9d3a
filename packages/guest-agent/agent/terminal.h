/* Pseudo-terminals of commands: the agent holds the master, the command has the other end as its terminal. */
#ifndef SPECTRUM_TERMINAL_H
#define SPECTRUM_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both ends are closed on exec. False with errno. */
bool terminal_open(uint16_t rows, uint16_t columns, int *master, int *slave);
/* Whoever runs in the foreground hears SIGWINCH when it differs. False with errno. */
bool terminal_resize(int master, uint16_t rows, uint16_t columns);
/* Makes it the controlling terminal of the calling session leader. False with errno. */
bool terminal_control(int slave);

/* The most bytes that terminal_end_of_input gives. */
#define TERMINAL_END_BYTES 2
/*
 * What to type so that a reader sees end-of-file, after `last` was typed (-1: nothing was). Nothing in raw mode,
 * where a terminal has no such thing.
 */
size_t terminal_end_of_input(int master, int last, uint8_t bytes[TERMINAL_END_BYTES]);

#endif
