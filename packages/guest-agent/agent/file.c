#include "file.h"
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* One whose stream was reset may still hang in its disk: it counts until it is gone. */
static pid_t workers[LIMIT_OPEN_CONNECTIONS];

static pid_t *find_worker(pid_t pid)
{
	for (size_t i = 0; i < LIMIT_OPEN_CONNECTIONS; i++)
		if (workers[i] == pid)
			return &workers[i];
	return NULL;
}

int file_begin(const struct request *request)
{
	int ends[2];
	pid_t *worker = find_worker(0);
	if (worker == NULL) {
		errno = EAGAIN;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0)
		transfer(request, ends[1]);
	int error = errno;
	close(ends[1]);
	if (pid > 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0) {
		*worker = pid;
		return ends[0];
	}
	close(ends[0]);
	errno = error;
	return -1;
}

void file_reaped(pid_t pid)
{
	pid_t *worker = find_worker(pid);
	if (worker != NULL)
		*worker = 0;
}
