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

/* The name is a prefix and then only of the given characters. */
static bool is_numbered(const char *name, const char *prefix, const char *numbers)
{
	size_t length = strlen(prefix);
	return strncmp(name, prefix, length) == 0 && name[length] != '\0' &&
	       strspn(name + length, numbers) == strlen(name + length) && strlen(name) < DEVICE_PATH_BYTES - sizeof "/dev/";
}

/* A small file of sysfs without its newline; empty when it cannot be read. */
static void read_line(const char *path, char *text, size_t size)
{
	text[0] = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t got = read(fd, text, size - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static bool is_disk(const char *name) { return is_numbered(name, "vd", "abcdefghijklmnopqrstuvwxyz"); }

static void read_serial(const char *disk, char *serial, size_t size)
{
	char file[64];
	snprintf(file, sizeof file, "/sys/block/%.24s/serial", disk);
	read_line(file, serial, size);
}

/* A disk with a serial number is a volume: what programs wrote to its end is no trailer. */
static bool may_hold_a_store(const char *name)
{
	char serial[64];
	if (!is_disk(name))
		return is_numbered(name, "pmem", "0123456789");
	read_serial(name, serial, sizeof serial);
	return serial[0] == '\0';
}

bool is_persistent_memory(const char *path) { return strncmp(path, "/dev/pmem", 9) == 0; }

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
		if (!may_hold_a_store(entry->d_name))
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

size_t find_disks_by_serial(const char *serial, char path[DEVICE_PATH_BYTES])
{
	size_t found = 0;
	DIR *directory = opendir("/sys/block");
	const struct dirent *entry;
	for (size_t seen = 0; directory != NULL && seen < MAX_DEVICES; seen++) {
		char its[64];
		entry = readdir(directory);
		if (entry == NULL)
			break;
		if (!is_disk(entry->d_name))
			continue;
		read_serial(entry->d_name, its, sizeof its);
		if (strcmp(its, serial) != 0)
			continue;
		if (found++ == 0)
			snprintf(path, DEVICE_PATH_BYTES, "/dev/%.24s", entry->d_name);
	}
	if (directory != NULL)
		closedir(directory);
	return found;
}

/* Device ids of the virtio specification, as the bus prints them. */
static const struct {
	const char *id;
	const char *driver;
} drivers[] = {{"0x001b", "virtio_pmem"}, {"0x0002", "virtio_blk"}, {"0x001a", "virtiofs"}};

static const char *driver_missing_for(const char *device)
{
	char path[320];
	char id[16];
	snprintf(path, sizeof path, "/sys/bus/virtio/devices/%s/device", device);
	read_line(path, id, sizeof id);
	for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
		/* A device may be there a moment before its driver has taken it; a driver that is not there comes no more. */
		snprintf(path, sizeof path, "/sys/bus/virtio/drivers/%s", drivers[i].driver);
		if (strcmp(id, drivers[i].id) == 0 && access(path, F_OK) < 0)
			return drivers[i].driver;
	}
	return NULL;
}

/* The first driver that the kernel lacks: this one, or any when it is NULL. */
static const char *find_missing(const char *wanted)
{
	const char *missing = NULL;
	DIR *bus = opendir("/sys/bus/virtio/devices");
	const struct dirent *entry;
	for (size_t seen = 0; bus != NULL && missing == NULL && seen < MAX_DEVICES; seen++) {
		entry = readdir(bus);
		if (entry == NULL)
			break;
		if (entry->d_name[0] != '.')
			missing = driver_missing_for(entry->d_name);
		if (missing != NULL && wanted != NULL && strcmp(missing, wanted) != 0)
			missing = NULL;
	}
	if (bus != NULL)
		closedir(bus);
	return missing;
}

const char *missing_driver(void) { return find_missing(NULL); }

bool lacks_driver(const char *driver) { return find_missing(driver) != NULL; }
