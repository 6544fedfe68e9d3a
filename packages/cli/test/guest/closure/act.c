/* A program that does one thing by name, so that what comes out of a unit can be compared with what went in. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

extern char **environ;

static int write_all(int descriptor, const unsigned char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(descriptor, bytes, length);
		if (written <= 0)
			return 1;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/* Every value of a byte, in an order that no text filter leaves alone. */
static int pattern(long length)
{
	static unsigned char block[65536];
	for (size_t at = 0; at < sizeof block; at++)
		block[at] = (unsigned char)(at * 167 + (at >> 8));
	while (length > 0) {
		size_t part = length < (long)sizeof block ? (size_t)length : sizeof block;
		if (write_all(1, block, part) != 0)
			return 1;
		length -= (long)part;
	}
	return 0;
}

static int copy(void)
{
	static unsigned char block[65536];
	ssize_t length;
	while ((length = read(0, block, sizeof block)) > 0)
		if (write_all(1, block, (size_t)length) != 0)
			return 1;
	return length < 0;
}

static int report(int status)
{
	for (char **entry = environ; *entry != NULL; entry++)
		puts(*entry);
	fputs("to standard error\n", stderr);
	return status;
}

static void show_size(int signal)
{
	struct winsize size = { 0 };
	char text[64];
	(void)signal;
	ioctl(1, TIOCGWINSZ, &size);
	int length = snprintf(text, sizeof text, "%dx%d\n", size.ws_col, size.ws_row);
	write_all(1, (const unsigned char *)text, (size_t)length);
}

/* The size of its terminal, now and whenever it changes. */
static int screen(void)
{
	signal(SIGWINCH, show_size);
	show_size(0);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long number = argc > 2 ? atol(argv[2]) : 0;
	if (strcmp(what, "pattern") == 0)
		return pattern(number);
	if (strcmp(what, "copy") == 0)
		return copy();
	if (strcmp(what, "report") == 0)
		return report((int)number);
	if (strcmp(what, "screen") == 0)
		return screen();
	if (strcmp(what, "stay") == 0) {
		puts("here");
		fflush(stdout);
		for (;;)
			pause();
	}
	return 99;
}
