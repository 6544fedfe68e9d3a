/* From an argument vector to a process: fork, exec, and an honest answer when exec fails. */
#ifndef SPECTRUM_SPAWN_H
#define SPECTRUM_SPAWN_H

#include "request.h"

#include <sys/types.h>

struct spawned {
	pid_t pid;
	/* -1 when it was not asked for. With a terminal this and out_fd[0] are its master, and out_fd[1] is -1. */
	int stdin_fd;
	int out_fd[2];
	int failure_fd;
};

/*
 * Starts the program in a session and process group of its own, as the user and on the terminal of the request, with
 * exactly the given environment and no other descriptor than 0, 1 and 2. Returns 0, or the errno of what could not be made; then nothing was made.
 */
int spawn(const struct request *request, int cgroup_fd, struct spawned *out);

enum failure_stage {
	FAILURE_CHDIR = 1,
	FAILURE_EXEC = 2,
	FAILURE_OTHER = 3,
	FAILURE_USER = 4,
};

struct failure {
	int32_t stage;
	int32_t error;
};

/* Turns a failure into a reason of the protocol and a message that says what is missing. */
uint8_t explain_failure(const struct failure *failure, const char *program, const char *cwd, char *message,
                        size_t message_size);

#endif
