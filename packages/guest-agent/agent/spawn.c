#include "spawn.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
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

/* For good, and with no group but this one. What it was given as 0, 1 and 2 it may open again by path. */
static void become_user(const struct request *request, const int stdio[3], int report_fd)
{
	uid_t uid = request->exec.uid;
	gid_t gid = request->exec.gid;
	if (uid == USER_OWN)
		return;
	for (int fd = 0; fd < 3; fd++) {
		struct stat given;
		if (fstat(stdio[fd], &given) == 0 && (S_ISFIFO(given.st_mode) || isatty(stdio[fd])) &&
		    fchown(stdio[fd], uid, gid) < 0)
			fail_child(report_fd, FAILURE_USER);
	}
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		fail_child(report_fd, FAILURE_USER);
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
	if (request->exec.rows != 0 && !terminal_control(stdio[0]))
		fail_child(report_fd, FAILURE_OTHER);
	become_user(request, stdio, report_fd);
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

/* Both ends of what a command has as 0, 1 and 2. */
struct stdio {
	int child[3];
	int stdin_fd;
	int out_fd[2];
};

static void close_stdio(const struct stdio *io)
{
	close_open(io->child[0]);
	if (io->child[1] != io->child[0])
		close_open(io->child[1]);
	if (io->child[2] != io->child[1])
		close_open(io->child[2]);
	close_open(io->stdin_fd);
	close_open(io->out_fd[0]);
	close_open(io->out_fd[1]);
}

static bool open_terminal(const struct request *request, struct stdio *io)
{
	int slave = -1;
	if (!terminal_open(request->exec.rows, request->exec.columns, &io->out_fd[0], &slave))
		return false;
	io->child[0] = io->child[1] = io->child[2] = slave;
	if (request->exec.stdin_open) {
		io->stdin_fd = fcntl(io->out_fd[0], F_DUPFD_CLOEXEC, 3);
		return io->stdin_fd >= 0;
	}
	/* Nobody will type: its reader sees the end at once. */
	uint8_t end[TERMINAL_END_BYTES];
	size_t size = terminal_end_of_input(io->out_fd[0], -1, end);
	return write(io->out_fd[0], end, size) == (ssize_t)size;
}

static bool open_pipes(const struct request *request, struct stdio *io)
{
	struct pipe_ends ends;
	if (!request->exec.stdin_open) {
		io->child[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} else if (make_pipe(&ends) == 0) {
		io->child[0] = ends.read;
		io->stdin_fd = ends.write;
	}
	for (size_t i = 0; i < 2 && io->child[0] >= 0; i++) {
		if (make_pipe(&ends) < 0)
			return false;
		io->out_fd[i] = ends.read;
		io->child[i + 1] = ends.write;
	}
	return io->child[0] >= 0;
}

int spawn(const struct request *request, int cgroup_fd, struct spawned *out)
{
	struct stdio io = {.child = {-1, -1, -1}, .stdin_fd = -1, .out_fd = {-1, -1}};
	struct pipe_ends report = {-1, -1};
	bool opened = request->exec.rows != 0 ? open_terminal(request, &io) : open_pipes(request, &io);
	pid_t pid = opened && make_pipe(&report) == 0 ? fork() : -1;
	if (pid < 0) {
		int error = errno;
		close_stdio(&io);
		close_both(&report);
		return error;
	}
	if (pid == 0)
		run_child(request, io.child, cgroup_fd, report.write);

	*out = (struct spawned){
	    .pid = pid,
	    .stdin_fd = io.stdin_fd,
	    .out_fd = {io.out_fd[0], io.out_fd[1]},
	    .failure_fd = report.read,
	};
	io.stdin_fd = io.out_fd[0] = io.out_fd[1] = -1;
	close_stdio(&io);
	close(report.write);
	if (out->stdin_fd >= 0)
		set_nonblocking(out->stdin_fd);
	set_nonblocking(out->out_fd[0]);
	if (out->out_fd[1] >= 0)
		set_nonblocking(out->out_fd[1]);
	set_nonblocking(out->failure_fd);
	return 0;
}
