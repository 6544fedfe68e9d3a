/* The two programs at the ends of a call, for the measurement: one verb for each. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char chunk[65536];

static void fail(const char *what)
{
	perror(what);
	exit(1);
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
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
		fail(path);
	return fd;
}

static double now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* One connection after the other: `echo` answers what comes, otherwise nothing but the end is answered. */
static int serve(const char *path, int echo)
{
	struct sockaddr_un address;
	int listener = make_socket(path, &address);
	if (bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 8) < 0)
		fail(path);
	puts("listening");
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		ssize_t got;
		while ((got = read(fd, chunk, sizeof chunk)) > 0)
			if (echo && write(fd, chunk, (size_t)got) != got)
				break;
		close(fd);
	}
}

/* Microseconds to send so many bytes and to hear that all have arrived. */
static int pour(const char *path, size_t bytes)
{
	double began = now_us();
	int fd = connect_to(path);
	while (bytes > 0) {
		ssize_t put = write(fd, chunk, bytes < sizeof chunk ? bytes : sizeof chunk);
		if (put <= 0)
			fail("write");
		bytes -= (size_t)put;
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, chunk, 1) != 0)
		fail("read");
	printf("%f\n", now_us() - began);
	return 0;
}

/* Microseconds of one round trip of 64 bytes, on an open connection. */
static int ping(const char *path, int count)
{
	int fd = connect_to(path);
	double began = 0;
	for (int i = -16; i < count; i++) {
		if (i == 0)
			began = now_us();
		if (write(fd, chunk, 64) != 64)
			fail("write");
		for (size_t got = 0; got < 64;) {
			ssize_t more = read(fd, chunk, 64 - got);
			if (more <= 0)
				fail("read");
			got += (size_t)more;
		}
	}
	printf("%f\n", (now_us() - began) / count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "sink") == 0)
		return serve(argv[2], 0);
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		return serve(argv[2], 1);
	if (argc == 4 && strcmp(argv[1], "pour") == 0)
		return pour(argv[2], strtoull(argv[3], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "ping") == 0)
		return ping(argv[2], atoi(argv[3]));
	return 2;
}
