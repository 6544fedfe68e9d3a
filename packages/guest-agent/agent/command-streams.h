/* What a command reads and writes: its pipes, or its terminal, against the credits of the protocol. */
#ifndef SPECTRUM_COMMAND_STREAMS_H
#define SPECTRUM_COMMAND_STREAMS_H

#include "command.h"

void close_once(int *fd);
/* A frame that says no more than the command's number. */
void report_command(uint8_t type, uint32_t id);

/* Each of these closes one end and tells the host. */
void end_output(struct command *c, size_t stream, uint8_t how);
void close_input(struct command *c);

/* The command has ended: what it wrote and nobody has read yet is owed to the host. */
void note_owed(struct command *c);
/* How much may be read from the stream now. */
size_t output_allowance(const struct command *c, const struct output *o);

/* Move what can be moved, report what is new. */
void step_output(struct command *c, size_t stream);
void step_input(struct command *c);

#endif
