#include "users.h"
#include "bind.h"

#include <dirent.h>
#include <errno.h>
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

/* A process may end while it is looked at; then it uses nothing. Any other failure means that nobody knows. */
static bool is_gone(void) { return errno == ENOENT || errno == ESRCH; }

/* These say in `found` whether something lies in one of the names, and return whether they could look. */

static bool look_at_link(struct search *search, int directory, const char *name, bool *found)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
	/* The kernel names no place that deep. Whoever stands there must not keep everybody else's paths from going. */
	if (length < 0)
		return is_gone() || errno == ENAMETOOLONG;
	target[length] = '\0';
	*found = mark(search, target) || *found;
	return true;
}

static bool look_at_descriptors(struct search *search, int process, bool *found)
{
	bool looked = true;
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return is_gone();
	DIR *directory = fdopendir(fd);
	if (directory == NULL) {
		close(fd);
		return false;
	}
	for (size_t seen = 0; looked && seen < MAX_DESCRIPTORS; seen++) {
		errno = 0;
		const struct dirent *entry = readdir(directory);
		if (entry == NULL) {
			looked = errno == 0 || is_gone();
			break;
		}
		if (entry->d_name[0] != '.')
			looked = look_at_link(search, dirfd(directory), entry->d_name, found);
	}
	int error = errno;
	closedir(directory);
	errno = error;
	return looked;
}

static bool look_at_mappings(struct search *search, int process, bool *found)
{
	char *line = NULL;
	size_t room = 0;
	size_t bytes = 0;
	ssize_t length;
	int fd = openat(process, "maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return is_gone();
	FILE *maps = fdopen(fd, "r");
	if (maps == NULL) {
		close(fd);
		return false;
	}
	errno = 0;
	while (bytes < MAX_MAPS_BYTES && (length = getline(&line, &room, maps)) > 0) {
		bytes += (size_t)length;
		const char *path = strstr(line, STORE "/");
		*found = (path != NULL && mark(search, path)) || *found;
		errno = 0;
	}
	int error = errno;
	free(line);
	fclose(maps);
	errno = error;
	return error == 0 || is_gone();
}

static bool look_at_process(struct search *search, int proc, const char *pid, bool *found)
{
	static const char *const links[] = {"exe", "cwd", "root"};
	bool looked = true;
	int process = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return is_gone();
	for (size_t i = 0; looked && i < sizeof links / sizeof links[0]; i++)
		looked = look_at_link(search, process, links[i], found);
	looked = looked && look_at_descriptors(search, process, found) && look_at_mappings(search, process, found);
	int error = errno;
	close(process);
	errno = error;
	return looked;
}

static bool look_at_all(struct search *search, uint32_t *processes)
{
	bool looked = true;
	DIR *proc = opendir("/proc");
	if (proc == NULL)
		return false;
	for (size_t seen = 0; looked && seen < MAX_PROCESSES; seen++) {
		bool found = false;
		errno = 0;
		const struct dirent *entry = readdir(proc);
		if (entry == NULL) {
			looked = errno == 0;
			break;
		}
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			looked = look_at_process(search, dirfd(proc), entry->d_name, &found);
		*processes += found;
	}
	int error = errno;
	closedir(proc);
	errno = error;
	return looked;
}

bool find_users(char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *used, uint32_t *processes)
{
	struct search search = {.names = names, .order = calloc(count, sizeof *search.order), .count = count, .used = used};
	*processes = 0;
	if (search.order == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		search.order[i] = i;
	sorting = &search;
	qsort(search.order, count, sizeof *search.order, compare);
	sorting = NULL;
	bool looked = look_at_all(&search, processes);
	int error = errno;
	free(search.order);
	errno = error;
	return looked;
}
