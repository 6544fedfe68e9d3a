/* What root in a unit may try against its own machine: one verb per attempt. Prints what came of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#define PAGE 4096

static int complain(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 1;
}

static int list(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	if (directory == NULL)
		return complain(path);
	while ((entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			puts(entry->d_name);
	closedir(directory);
	return 0;
}

/* The whole of a device or file on standard output. */
static int dump(const char *path)
{
	static char bytes[1 << 16];
	ssize_t got = -1;
	int fd = open(path, O_RDONLY);
	while (fd >= 0 && (got = read(fd, bytes, sizeof bytes)) > 0)
		if (fwrite(bytes, 1, (size_t)got, stdout) != (size_t)got)
			return 1;
	return got == 0 ? 0 : complain(path);
}

/* Tells the device, too, and at once: whoever overwrites what it stands on may not live to flush. */
static void say(const char *path, const char *what, ssize_t result)
{
	printf("%s %s %zd\n", path, what, result);
	fflush(stdout);
}

/* By write(2), through the page cache and past it, and through a shared mapping: begin, middle and end. */
static int overwrite(const char *path)
{
	uint64_t size = 0;
	int zero = 0;
	char *page = aligned_alloc(PAGE, PAGE);
	int fd = open(path, O_RDWR);
	if (fd < 0)
		return complain(path);
	ioctl(fd, BLKROSET, &zero);
	if (ioctl(fd, BLKGETSIZE64, &size) < 0)
		return complain("size");
	memset(page, 0xee, PAGE);
	const off_t places[] = {0, (off_t)(size / 2), (off_t)(size - PAGE)};
	for (size_t i = 0; i < 3; i++) {
		say(path, "write", pwrite(fd, page, PAGE, places[i]));
		int direct = open(path, O_RDWR | O_DIRECT);
		say(path, "direct", direct < 0 ? -1 : pwrite(direct, page, PAGE, places[i]));
		close(direct);
		char *mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, places[i]);
		if (mapped != MAP_FAILED) {
			memset(mapped, 0xdd, PAGE);
			msync(mapped, PAGE, MS_SYNC);
			munmap(mapped, PAGE);
		}
	}
	fsync(fd);
	ioctl(fd, BLKFLSBUF, 0);
	close(fd);
	return 0;
}

/* A device that may no longer read its queues, which lie in memory, answers nothing: no bus mastering for the disk. */
static int silence(const char *serial)
{
	DIR *blocks = opendir("/sys/block");
	const struct dirent *entry;
	while (blocks != NULL && (entry = readdir(blocks)) != NULL) {
		char path[300], text[32] = "";
		uint16_t command = 0;
		snprintf(path, sizeof path, "/sys/block/%.64s/serial", entry->d_name);
		int fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		ssize_t got = read(fd, text, sizeof text - 1);
		close(fd);
		text[strcspn(text, "\n")] = '\0';
		if (got <= 0 || strcmp(text, serial) != 0)
			continue;
		/* The virtio device's parent is the PCI device; its command register is at 4, bus mastering its third bit. */
		snprintf(path, sizeof path, "/sys/block/%.64s/device/../config", entry->d_name);
		fd = open(path, O_RDWR);
		if (fd < 0 || pread(fd, &command, sizeof command, 4) != (ssize_t)sizeof command)
			return complain(path);
		command &= (uint16_t)~4u;
		if (pwrite(fd, &command, sizeof command, 4) != (ssize_t)sizeof command)
			return complain(path);
		return 0;
	}
	return complain(serial);
}

/* No write to the file system ends before it is thawed. */
static int freeze(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	return fd >= 0 && ioctl(fd, FIFREEZE, 0) == 0 ? 0 : complain(path);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	if (strcmp(verb, "list") == 0)
		return list(argv[2]);
	if (strcmp(verb, "dump") == 0)
		return dump(argv[2]);
	if (strcmp(verb, "overwrite") == 0) {
		/* It lies itself on one of the devices. */
		mlockall(MCL_CURRENT);
		int failed = 0;
		for (int i = 2; i < argc; i++)
			failed |= overwrite(argv[i]);
		return failed;
	}
	if (strcmp(verb, "silence") == 0)
		return silence(argv[2]);
	if (strcmp(verb, "freeze") == 0)
		return freeze(argv[2]);
	if (strcmp(verb, "umount") == 0)
		return umount2(argv[2], MNT_DETACH) == 0 ? 0 : complain(argv[2]);
	if (strcmp(verb, "remount") == 0)
		return mount(NULL, argv[2], NULL, MS_REMOUNT | MS_BIND, NULL) == 0 ? 0 : complain(argv[2]);
	if (strcmp(verb, "mount") == 0 && argc == 6) {
		mkdir(argv[4], 0700);
		return mount(argv[3], argv[4], argv[2], 0, argv[5]) == 0 ? 0 : complain(argv[3]);
	}
	return 2;
}
