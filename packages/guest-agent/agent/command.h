/* The commands that run in the unit: a bounded table of them, their streams and their ends. */
#ifndef SPECTRUM_COMMAND_H
#define SPECTRUM_COMMAND_H

#include "request.h"

#include <poll.h>
#include <sys/types.h>

/*
 * What a left-over process (one that outlives its command and holds its stdout or stderr) may still say:
 * whatever arrives within this time. After it the stream is cut; what the command itself had written before it
 * ended is delivered always.
 */
#define DRAIN_GRACE_MS 500

enum command_phase {
	COMMAND_FREE = 0,
	/* Forked; the outcome of exec is not known yet. */
	COMMAND_STARTING,
	COMMAND_RUNNING,
};

struct output {
	/* The pipe's reading end, or the terminal's master; -1 once the stream has ended. */
	int fd;
	uint64_t offset;
	uint32_t credit;
	/* Bytes that were in the pipe when the command ended and have not been read yet. */
	uint64_t owed;
};

struct input {
	/* The pipe's writing end, or the terminal's master; -1 when closed. */
	int fd;
	/* LIMIT_STDIN_WINDOW bytes, or NULL when the command was started without stdin. */
	uint8_t *buffer;
	size_t used;
	/* Bytes received so far. */
	uint64_t offset;
	/* What the host may still send, and what became free but was not granted yet. */
	uint32_t credit;
	uint32_t ungranted;
	bool end_seen;
	/* What a terminal needs typed to tell the end was put into the buffer. */
	bool end_typed;
	/* The last byte that was written, or -1. */
	int last;
};

struct command {
	enum command_phase phase;
	uint32_t id;
	pid_t pid;
	/* The reading end on which the child reports why exec failed; closes without a byte when it did not. */
	int failure_fd;
	char *program;
	char *cwd;
	/* One stream of output, which is a terminal's. */
	bool terminal;
	struct input in;
	struct output out[2];
	bool killed;
	bool reaped;
	uint8_t ended_how;
	uint32_t ended_value;
	bool core_dumped;
	int64_t drain_deadline;
};

/* Each of these returns NULL, or how the host broke the protocol. */
const char *command_exec(const struct request *request);
const char *command_stdin(const struct request *request);
const char *command_stdin_end(const struct request *request);
const char *command_credit(const struct request *request);
const char *command_signal(const struct request *request);
const char *command_kill(uint32_t id);
const char *command_resize(const struct request *request);
const char *command_hang_up(const struct request *request);

/* The process has been reaped: status as waitid reports it. Ignores processes that are no command. */
void command_reaped(pid_t pid, int code, int status);

/* Adds the descriptors that have something to wait for; returns the new count. */
size_t commands_poll(struct pollfd *set, size_t count);
/* Milliseconds until something is due without any descriptor, or -1. */
int commands_timeout(int64_t now);
/* Moves what can be moved, reports what is new. */
void commands_step(void);

void kill_all_commands(void);
/* SIGTERM to each; to those on a terminal, whose shells heed no SIGTERM, also its hang-up. */
void ask_all_commands_to_end(void);
/* From now on none is started. */
void refuse_new_commands(void);
size_t count_commands(void);

/* The most descriptors that commands_poll adds. */
#define COMMANDS_MAX_FDS (LIMIT_RUNNING_COMMANDS * 4)

#endif
