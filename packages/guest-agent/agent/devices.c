#include "devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TRAILER_BYTES 4096
#define MAX_DEVICES 1024

static const char trailer_magic[16] = "SPECTRUM-BLOB-1";

static bool read_trailer(const char *path, char id[DEVICE_ID_BYTES])
{
	char trailer[TRAILER_BYTES];
	uint64_t size = 0;
	bool found = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (ioctl(fd, BLKGETSIZE64, &size) == 0 && size >= TRAILER_BYTES &&
	    pread(fd, trailer, sizeof trailer, (off_t)(size - TRAILER_BYTES)) == (ssize_t)sizeof trailer &&
	    memcmp(trailer, trailer_magic, sizeof trailer_magic) == 0) {
		memcpy(id, trailer + sizeof trailer_magic, DEVICE_ID_BYTES);
		found = true;
	}
	close(fd);
	return found;
}

static bool is_pmem(const char *name)
{
	return strncmp(name, "pmem", 4) == 0 && name[4] != '\0' && strspn(name + 4, "0123456789") == strlen(name + 4) &&
	       strlen(name) < DEVICE_PATH_BYTES - sizeof "/dev/";
}

size_t find_devices(const char *ids, size_t count, char (*paths)[DEVICE_PATH_BYTES], size_t *missing)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++)
		paths[i][0] = '\0';
	DIR *directory = opendir("/dev");
	const struct dirent *entry;
	for (size_t seen = 0; directory != NULL && seen < MAX_DEVICES && found < count;) {
		entry = readdir(directory);
		if (entry == NULL)
			break;
		if (!is_pmem(entry->d_name))
			continue;
		seen++;
		char path[DEVICE_PATH_BYTES];
		char id[DEVICE_ID_BYTES];
		snprintf(path, sizeof path, "/dev/%.24s", entry->d_name);
		if (!read_trailer(path, id))
			continue;
		for (size_t i = 0; i < count; i++) {
			if (paths[i][0] == '\0' && memcmp(ids + i * DEVICE_ID_BYTES, id, DEVICE_ID_BYTES) == 0) {
				memcpy(paths[i], path, sizeof path);
				found++;
			}
		}
	}
	if (directory != NULL)
		closedir(directory);
	*missing = 0;
	while (*missing < count && paths[*missing][0] != '\0')
		++*missing;
	return found;
}

bool pmem_driver_present(void) { return access("/sys/bus/virtio/drivers/virtio_pmem", F_OK) == 0; }
