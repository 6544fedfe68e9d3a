/*
 * kill-one NTH: SIGKILL for one of the other programs of the unit, counted around. kill-one list: the first operand of each.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 1024

/* A thread of the kernel, and one that has ended, has no command line. */
static int read_operand(pid_t pid, char *operand, size_t room)
{
	char path[64];
	char line[4096];
	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	int fd = open(path, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, line, sizeof line - 2);
	if (fd >= 0)
		close(fd);
	if (got <= 0)
		return 0;
	line[got] = line[got + 1] = '\0';
	snprintf(operand, room, "%s", line + strlen(line) + 1);
	return 1;
}

int main(int argc, char **argv)
{
	static pid_t found[MOST];
	static char operands[MOST][64];
	size_t count = 0;
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	if (argc < 2 || proc == NULL)
		return 2;
	while (count < MOST && (entry = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid > 1 && pid != getpid() && read_operand(pid, operands[count], sizeof operands[count]))
			found[count++] = pid;
	}
	closedir(proc);
	if (isdigit((unsigned char)argv[1][0])) {
		if (count > 0)
			kill(found[strtoul(argv[1], NULL, 10) % count], SIGKILL);
	} else {
		for (size_t i = 0; i < count; i++)
			puts(operands[i]);
	}
	return 0;
}
