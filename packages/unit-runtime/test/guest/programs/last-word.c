/* Waits for SIGTERM, then writes its last word to a file, taking its time, and ends. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t terminated;

static void on_term(int number)
{
	(void)number;
	terminated = 1;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};
	static const char word[] = "farewell";
	if (argc < 2 || sigaction(SIGTERM, &action, NULL) < 0)
		return 2;
	puts("ready");
	fflush(stdout);
	while (!terminated)
		usleep(5000);
	int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	/* A power that is cut now takes the second half. */
	for (const char *letter = word; *letter != '\0'; letter++) {
		if (write(fd, letter, 1) != 1)
			return 1;
		usleep(20000);
	}
	puts("saved");
	fflush(stdout);
	return 0;
}
