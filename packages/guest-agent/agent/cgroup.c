#include "cgroup.h"
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"
#define MAX_LEFT_OVER 1024

static bool available;

/* Commands that have ended while processes of theirs lived on. */
static uint32_t left_over[MAX_LEFT_OVER];
static size_t left_over_count;

static void path_of(uint32_t command, const char *file, char path[128])
{
	snprintf(path, 128, ROOT "/command-%u%s", command, file);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool whole = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return whole;
}

void cgroup_open(void)
{
	if (mount("cgroup2", ROOT, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
		say("no cgroup v2 (%s): out-of-memory kills will look like SIGKILL", strerror(errno));
		return;
	}
	available = true;
	if (!write_file(ROOT "/cgroup.subtree_control", "+memory"))
		say("no memory controller: out-of-memory kills will look like SIGKILL");
}

static bool try_remove(uint32_t command)
{
	char path[128];
	path_of(command, "", path);
	return rmdir(path) == 0 || errno != EBUSY;
}

static void sweep(void)
{
	size_t kept = 0;
	for (size_t i = 0; i < left_over_count; i++)
		if (!try_remove(left_over[i]))
			left_over[kept++] = left_over[i];
	left_over_count = kept;
}

int cgroup_make(uint32_t command)
{
	char path[128];
	if (!available)
		return -1;
	sweep();
	path_of(command, "", path);
	if (mkdir(path, 0755) < 0)
		return -1;
	path_of(command, "/cgroup.procs", path);
	return open(path, O_WRONLY | O_CLOEXEC);
}

void cgroup_kill(uint32_t command)
{
	char path[128];
	if (!available)
		return;
	path_of(command, "/cgroup.kill", path);
	write_file(path, "1");
}

bool cgroup_saw_oom(uint32_t command)
{
	char path[128];
	char text[512];
	if (!available)
		return false;
	path_of(command, "/memory.events", path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t got = read(fd, text, sizeof text - 1);
	close(fd);
	if (got <= 0)
		return false;
	text[got] = '\0';
	const char *line = strstr(text, "\noom_kill ");
	return line != NULL && strtoul(line + strlen("\noom_kill "), NULL, 10) > 0;
}

void cgroup_remove(uint32_t command)
{
	if (!available || try_remove(command))
		return;
	/* Beyond the bound the empty directory stays: a little guest memory, nothing else. */
	if (left_over_count < MAX_LEFT_OVER)
		left_over[left_over_count++] = command;
}
