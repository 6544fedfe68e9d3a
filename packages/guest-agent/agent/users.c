#include "users.h"
#include "bind.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROCESSES 32768
#define MAX_DESCRIPTORS 65536
#define MAX_MAPS_BYTES (4U << 20)

struct search {
	char (*names)[LIMIT_NAME_BYTES + 1];
	/* Indexes of the names in their order. */
	size_t *order;
	size_t count;
	uint8_t *used;
};

static struct search *sorting;

static int compare(const void *a, const void *b)
{
	return strcmp(sorting->names[*(const size_t *)a], sorting->names[*(const size_t *)b]);
}

/* Marks the name that this path lies in, if it is one of those. */
static bool mark(struct search *search, const char *path)
{
	char name[LIMIT_NAME_BYTES + 1];
	if (strncmp(path, STORE "/", sizeof STORE) != 0)
		return false;
	path += sizeof STORE;
	size_t length = strcspn(path, "/\n");
	if (length == 0 || length > LIMIT_NAME_BYTES)
		return false;
	memcpy(name, path, length);
	name[length] = '\0';
	size_t low = 0;
	size_t high = search->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, search->names[search->order[middle]]);
		if (order == 0) {
			set_bit(search->used, search->order[middle]);
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static bool look_at_link(struct search *search, int directory, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	return mark(search, target);
}

static bool look_at_descriptors(struct search *search, int process)
{
	bool found = false;
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	if (directory == NULL && fd >= 0)
		close(fd);
	for (size_t seen = 0; directory != NULL && seen < MAX_DESCRIPTORS; seen++) {
		entry = readdir(directory);
		if (entry == NULL)
			break;
		found = look_at_link(search, dirfd(directory), entry->d_name) || found;
	}
	if (directory != NULL)
		closedir(directory);
	return found;
}

static bool look_at_mappings(struct search *search, int process)
{
	bool found = false;
	char *line = NULL;
	size_t room = 0;
	size_t bytes = 0;
	ssize_t length;
	int fd = openat(process, "maps", O_RDONLY | O_CLOEXEC);
	FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
	if (maps == NULL && fd >= 0)
		close(fd);
	while (maps != NULL && bytes < MAX_MAPS_BYTES && (length = getline(&line, &room, maps)) > 0) {
		bytes += (size_t)length;
		const char *path = strstr(line, STORE "/");
		found = (path != NULL && mark(search, path)) || found;
	}
	free(line);
	if (maps != NULL)
		fclose(maps);
	return found;
}

static bool look_at_process(struct search *search, int proc, const char *pid)
{
	static const char *const links[] = {"exe", "cwd", "root"};
	bool found = false;
	int process = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return false;
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
		found = look_at_link(search, process, links[i]) || found;
	found = look_at_descriptors(search, process) || found;
	found = look_at_mappings(search, process) || found;
	close(process);
	return found;
}

uint32_t find_users(char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *used)
{
	uint32_t processes = 0;
	struct search search = {.names = names, .order = calloc(count, sizeof *search.order), .count = count, .used = used};
	if (search.order == NULL)
		return 0;
	for (size_t i = 0; i < count; i++)
		search.order[i] = i;
	sorting = &search;
	qsort(search.order, count, sizeof *search.order, compare);
	sorting = NULL;
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	for (size_t seen = 0; proc != NULL && seen < MAX_PROCESSES; seen++) {
		entry = readdir(proc);
		if (entry == NULL)
			break;
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && look_at_process(&search, dirfd(proc), entry->d_name))
			processes++;
	}
	if (proc != NULL)
		closedir(proc);
	free(search.order);
	return processes;
}
