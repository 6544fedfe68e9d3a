/* What the conformance checks run inside a unit: one verb per behaviour that a command can have. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void put(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;
	while (size > 0) {
		ssize_t done = write(fd, at, size);
		if (done <= 0)
			_exit(111);
		at += done;
		size -= (size_t)done;
	}
}

static void put_line(const char *text)
{
	char line[8192];
	int length = snprintf(line, sizeof line, "%s\n", text);
	put(1, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

/* Bytes that tell their own place: byte i is (i * 31 + i / 256 + seed) mod 256. */
static void flood_turns(size_t total)
{
	static uint8_t chunk[2][65536];
	for (size_t at = 0; at < total; at += sizeof chunk[0]) {
		size_t size = total - at < sizeof chunk[0] ? total - at : sizeof chunk[0];
		for (size_t i = 0; i < size; i++) {
			chunk[0][i] = (uint8_t)((at + i) * 31 + (at + i) / 256 + 1);
			chunk[1][i] = (uint8_t)((at + i) * 31 + (at + i) / 256 + 2);
		}
		put(1, chunk[0], size);
		put(2, chunk[1], size);
	}
}

static int copy_stdin(void)
{
	static char chunk[65536];
	ssize_t got;
	while ((got = read(0, chunk, sizeof chunk)) > 0)
		put(1, chunk, (size_t)got);
	return got < 0 ? 1 : 0;
}

static int print_file(const char *path)
{
	static char chunk[65536];
	ssize_t got = -1;
	int fd = open(path, O_RDONLY);
	while (fd >= 0 && (got = read(fd, chunk, sizeof chunk)) > 0)
		put(1, chunk, (size_t)got);
	if (fd < 0)
		perror(path);
	return got == 0 ? 0 : 1;
}

static int list(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	if (directory == NULL)
		return 1;
	while ((entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			put_line(entry->d_name);
	closedir(directory);
	return 0;
}

static volatile sig_atomic_t terminated;

static void on_term(int number)
{
	(void)number;
	terminated = 1;
}

static void print_size(void)
{
	struct winsize size = {0};
	char line[64];
	ioctl(0, TIOCGWINSZ, &size);
	snprintf(line, sizeof line, "%ux%u", size.ws_row, size.ws_col);
	put_line(line);
}

static void print_terminal(void)
{
	struct winsize size = {0};
	char line[128];
	int terminals = isatty(0) + isatty(1) + isatty(2);
	ioctl(0, TIOCGWINSZ, &size);
	snprintf(line, sizeof line, "terminals=%d controlling=%d size=%ux%u", terminals, tcgetpgrp(0) == getpgrp(),
	         size.ws_row, size.ws_col);
	put_line(line);
}

/* Says its size, and each new one. */
__attribute__((noreturn)) static void watch_size(void)
{
	struct sigaction action = {.sa_handler = on_term};
	sigset_t none;
	sigset_t resized;
	sigemptyset(&none);
	sigemptyset(&resized);
	sigaddset(&resized, SIGWINCH);
	sigprocmask(SIG_BLOCK, &resized, NULL);
	sigaction(SIGWINCH, &action, NULL);
	print_size();
	for (;;) {
		sigsuspend(&none);
		print_size();
	}
}

static void make_raw(void)
{
	struct termios mode;
	tcgetattr(0, &mode);
	cfmakeraw(&mode);
	tcsetattr(0, TCSANOW, &mode);
}

static int raw_flood(size_t total)
{
	static uint8_t chunk[65536];
	make_raw();
	for (size_t at = 0; at < total; at += sizeof chunk) {
		size_t size = total - at < sizeof chunk ? total - at : sizeof chunk;
		for (size_t i = 0; i < size; i++)
			chunk[i] = (uint8_t)((at + i) * 31 + (at + i) / 256 + 1);
		put(1, chunk, size);
	}
	return 0;
}

/* Reads so many bytes of the pattern. */
static int raw_count(size_t total)
{
	static uint8_t chunk[65536];
	size_t at = 0;
	make_raw();
	put_line("ready");
	while (at < total) {
		ssize_t got = read(0, chunk, sizeof chunk);
		if (got <= 0)
			return 1;
		for (ssize_t i = 0; i < got; i++, at++)
			if (chunk[i] != (uint8_t)(at * 31 + at / 256 + 1))
				return 2;
	}
	put_line("counted");
	return 0;
}

static int wait_for_term(void)
{
	struct sigaction action = {.sa_handler = on_term};
	sigaction(SIGTERM, &action, NULL);
	put_line("ready");
	while (!terminated)
		usleep(5000);
	put_line("terminated");
	return 0;
}

/* Leaves a process behind that holds stdout and stderr and is in another session. */
static int leave_daemon(const char *seconds)
{
	put_line("before");
	if (fork() == 0) {
		setsid();
		sleep((unsigned)atoi(seconds));
		_exit(0);
	}
	return 0;
}

static int eat_memory(void)
{
	for (;;) {
		void *memory = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (memory == MAP_FAILED)
			return 1;
		memset(memory, 1, 1 << 24);
	}
}

static void print_place(void)
{
	char path[4096];
	char line[4200];
	snprintf(line, sizeof line, "cwd=%s", getcwd(path, sizeof path) == NULL ? "?" : path);
	put_line(line);
	snprintf(line, sizeof line, "leader=%d", getsid(0) == getpid() && getpgid(0) == getpid());
	put_line(line);
	for (char **variable = environ; *variable != NULL; variable++)
		put_line(*variable);
}

static void print_descriptors(void)
{
	char name[32];
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0) {
			snprintf(name, sizeof name, "%d", fd);
			put_line(name);
		}
}

static int make_socket(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address;
	int fd = make_socket(path, &address);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		perror(path);
		_exit(3);
	}
	return fd;
}

/* Copies what there is. False once the source has ended. */
static int copy_some(int from, int to)
{
	static char chunk[65536];
	ssize_t got = read(from, chunk, sizeof chunk);
	if (got > 0)
		put(to, chunk, (size_t)got);
	return got > 0;
}

/* Sends what there is. False once stdin has ended, or the service reads no more: how it answers is still to be seen. */
static bool send_some(int fd)
{
	static char chunk[65536];
	ssize_t got = read(0, chunk, sizeof chunk);
	ssize_t sent = 0;
	for (ssize_t at = 0; at < got; at += sent) {
		sent = send(fd, chunk + at, (size_t)(got - at), MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
	}
	return got > 0;
}

/* stdin to the service and its answer to stdout, until it ends the answer. */
static int call_service(const char *path)
{
	int fd = connect_to(path);
	struct pollfd set[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	for (;;) {
		poll(set, 2, -1);
		if (set[0].revents != 0 && !copy_some(fd, 1))
			return 0;
		if (set[1].revents != 0 && !send_some(fd)) {
			shutdown(fd, SHUT_WR);
			set[1].fd = -1;
		}
	}
}

/* Says how its write ended. */
static int write_for_ever(const char *path)
{
	static char chunk[65536];
	int fd = connect_to(path);
	signal(SIGPIPE, SIG_IGN);
	put_line("writing");
	while (write(fd, chunk, sizeof chunk) > 0)
		continue;
	put_line(errno == EPIPE ? "EPIPE" : strerror(errno));
	return 0;
}

/* Opens so many calls and says when the last one was ended. */
static int call_often(const char *path, int count)
{
	char byte;
	int fd = -1;
	while (count-- > 0)
		fd = connect_to(path);
	put_line("called");
	put_line(read(fd, &byte, 1) == 0 ? "last ended" : "last answered");
	return copy_stdin();
}

/* Answers every connection with what it sends, one after the other. */
static int serve(const char *path)
{
	struct sockaddr_un address;
	int listener = make_socket(path, &address);
	unlink(path);
	if (bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 8) < 0)
		return 3;
	put_line("listening");
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		while (copy_some(fd, fd))
			continue;
		close(fd);
	}
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	const char *operand = argc > 2 ? argv[2] : "";
	if (strcmp(verb, "echo") == 0) {
		for (int i = 2; i < argc; i++)
			put_line(argv[i]);
	} else if (strcmp(verb, "fail") == 0) {
		put(2, "failing\n", 8);
		return atoi(operand);
	} else if (strcmp(verb, "place") == 0) {
		print_place();
	} else if (strcmp(verb, "descriptors") == 0) {
		print_descriptors();
	} else if (strcmp(verb, "cat") == 0) {
		return copy_stdin();
	} else if (strcmp(verb, "flood") == 0) {
		flood_turns(strtoul(operand, NULL, 10));
	} else if (strcmp(verb, "raise") == 0) {
		raise(atoi(operand));
	} else if (strcmp(verb, "wait") == 0) {
		put_line("ready");
		for (;;)
			pause();
	} else if (strcmp(verb, "wait-for-term") == 0) {
		return wait_for_term();
	} else if (strcmp(verb, "ignore-term") == 0) {
		signal(SIGTERM, SIG_IGN);
		put_line("ready");
		for (;;)
			pause();
	} else if (strcmp(verb, "who") == 0) {
		char line[128];
		snprintf(line, sizeof line, "uid=%u gid=%u groups=%d", getuid(), getgid(), getgroups(0, NULL));
		put_line(line);
	} else if (strcmp(verb, "clock") == 0) {
		char line[64];
		snprintf(line, sizeof line, "%lld", (long long)time(NULL));
		put_line(line);
	} else if (strcmp(verb, "terminal") == 0) {
		print_terminal();
	} else if (strcmp(verb, "watch-size") == 0) {
		watch_size();
	} else if (strcmp(verb, "raw-flood") == 0) {
		return raw_flood(strtoul(operand, NULL, 10));
	} else if (strcmp(verb, "raw-count") == 0) {
		return raw_count(strtoul(operand, NULL, 10));
	} else if (strcmp(verb, "mkdir") == 0 || strcmp(verb, "fifo") == 0) {
		if ((verb[0] == 'm' ? mkdir(operand, 0755) : mkfifo(operand, 0644)) < 0) {
			perror(operand);
			return 1;
		}
	} else if (strcmp(verb, "link") == 0) {
		if (argc < 4 || symlink(operand, argv[3]) < 0) {
			perror(operand);
			return 1;
		}
	} else if (strcmp(verb, "close-stdin") == 0) {
		close(0);
		put_line("closed");
		for (;;)
			pause();
	} else if (strcmp(verb, "call") == 0) {
		return call_service(operand);
	} else if (strcmp(verb, "call-often") == 0) {
		return call_often(operand, argc > 3 ? atoi(argv[3]) : 0);
	} else if (strcmp(verb, "write-for-ever") == 0) {
		return write_for_ever(operand);
	} else if (strcmp(verb, "hang-up") == 0) {
		put(connect_to(operand), "hello", 5);
	} else if (strcmp(verb, "serve") == 0) {
		return serve(operand);
	} else if (strcmp(verb, "daemon") == 0) {
		return leave_daemon(operand);
	} else if (strcmp(verb, "print") == 0) {
		return print_file(operand);
	} else if (strcmp(verb, "list") == 0) {
		return list(operand);
	} else if (strcmp(verb, "touch") == 0) {
		int fd = open(operand, O_WRONLY | O_CREAT, 0644);
		if (fd < 0)
			perror(operand);
		return fd < 0;
	} else if (strcmp(verb, "write") == 0) {
		int fd = open(operand, O_WRONLY);
		if (fd < 0 || argc < 4 || write(fd, argv[3], strlen(argv[3])) < 0) {
			perror(operand);
			return 1;
		}
	} else if (strcmp(verb, "eat-memory") == 0) {
		return eat_memory();
	} else {
		return 2;
	}
	return 0;
}
