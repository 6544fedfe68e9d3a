#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct pipe_ends {
	int read;
	int write;
};

static int make_pipe(struct pipe_ends *ends)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	ends->read = fds[0];
	ends->write = fds[1];
	return 0;
}

static void close_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_both(const struct pipe_ends *ends)
{
	close_open(ends->read);
	close_open(ends->write);
}

static void set_nonblocking(int fd) { fcntl(fd, F_SETFL, O_NONBLOCK); }

/* Only async-signal-safe calls from here to exec. */
__attribute__((noreturn)) static void fail_child(int report_fd, int stage)
{
	struct failure failure = {.stage = stage, .error = errno};
	/* Smaller than PIPE_BUF, so it is written whole or not at all. */
	ssize_t ignored = write(report_fd, &failure, sizeof failure);
	(void)ignored;
	_exit(127);
}

__attribute__((noreturn)) static void run_child(const struct request *request, const int stdio[3], int cgroup_fd,
                                                int report_fd)
{
	setsid();
	/* Best effort: without a cgroup the command runs all the same, only its OOM kill goes unnoticed. */
	if (cgroup_fd >= 0) {
		ssize_t ignored = write(cgroup_fd, "0", 1);
		(void)ignored;
	}
	for (int fd = 0; fd < 3; fd++)
		if (dup2(stdio[fd], fd) < 0)
			fail_child(report_fd, FAILURE_OTHER);
	signal(SIGPIPE, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(request->exec.cwd) < 0)
		fail_child(report_fd, FAILURE_CHDIR);
	execve(request->exec.argv[0], request->exec.argv, request->exec.env);
	fail_child(report_fd, FAILURE_EXEC);
}

int spawn(const struct request *request, int cgroup_fd, struct spawned *out)
{
	struct pipe_ends in = {-1, -1};
	struct pipe_ends stream[2] = {{-1, -1}, {-1, -1}};
	struct pipe_ends report = {-1, -1};
	int error = 0;

	if (request->exec.stdin_open)
		error = make_pipe(&in);
	else
		in.read = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (error < 0 || in.read < 0 || make_pipe(&stream[0]) < 0 || make_pipe(&stream[1]) < 0 || make_pipe(&report) < 0)
		goto failed;

	pid_t pid = fork();
	if (pid < 0)
		goto failed;
	if (pid == 0)
		run_child(request, (int[3]){in.read, stream[0].write, stream[1].write}, cgroup_fd, report.write);

	close(in.read);
	close(stream[0].write);
	close(stream[1].write);
	close(report.write);
	if (in.write >= 0)
		set_nonblocking(in.write);
	set_nonblocking(stream[0].read);
	set_nonblocking(stream[1].read);
	set_nonblocking(report.read);
	*out = (struct spawned){
	    .pid = pid,
	    .stdin_fd = in.write,
	    .out_fd = {stream[0].read, stream[1].read},
	    .failure_fd = report.read,
	};
	return 0;

failed:
	error = errno;
	close_both(&in);
	close_both(&stream[0]);
	close_both(&stream[1]);
	close_both(&report);
	return error;
}
