#include "image.h"
#include "context.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ENTRIES_SEEN 65536
#define MAX_DEPTH 32

static int configure(int context, char (*devices)[DEVICE_PATH_BYTES], size_t count, bool dax)
{
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", devices[0], 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    (dax && fsconfig(context, FSCONFIG_SET_STRING, "dax", "always", 0) < 0))
		return -1;
	for (size_t i = 1; i < count; i++)
		if (fsconfig(context, FSCONFIG_SET_STRING, "device", devices[i], 0) < 0)
			return -1;
	return fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

/* The kernel silently turns DAX off where it cannot have it; then the option is gone from the mount. */
static bool dax_stuck(const char *target)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	char *line = NULL;
	size_t size = 0;
	bool stuck = false;
	while (mounts != NULL && getline(&line, &size, mounts) > 0) {
		char *save = NULL;
		char *source = strtok_r(line, " ", &save);
		char *where = strtok_r(NULL, " ", &save);
		char *type = strtok_r(NULL, " ", &save);
		char *options = strtok_r(NULL, " ", &save);
		if (source == NULL || type == NULL || options == NULL || strcmp(where, target) != 0)
			continue;
		stuck = false;
		for (char *option = strtok_r(options, ",", &save); option != NULL; option = strtok_r(NULL, ",", &save))
			stuck = stuck || strcmp(option, "dax=always") == 0;
	}
	free(line);
	if (mounts != NULL)
		fclose(mounts);
	return stuck;
}

enum proof { PROOF_NONE, PROOF_DAX, PROOF_NO_DAX };

/* Asks the first non-empty regular file below `directory` whether it is mapped directly. Closes `directory`. */
static enum proof ask_a_file(int directory, int depth, int *entries_left)
{
	enum proof proof = PROOF_NONE;
	DIR *listing = fdopendir(directory);
	if (listing == NULL) {
		close(directory);
		return PROOF_NONE;
	}
	const struct dirent *entry;
	while (proof == PROOF_NONE && --*entries_left > 0 && (entry = readdir(listing)) != NULL) {
		struct statx file;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    statx(dirfd(listing), entry->d_name, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_SIZE, &file) < 0)
			continue;
		if (S_ISREG(file.stx_mode) && file.stx_size > 0) {
			proof = (file.stx_attributes & STATX_ATTR_DAX) != 0 ? PROOF_DAX : PROOF_NO_DAX;
		} else if (S_ISDIR(file.stx_mode) && depth < MAX_DEPTH) {
			int below = openat(dirfd(listing), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (below >= 0)
				proof = ask_a_file(below, depth + 1, entries_left);
		}
	}
	closedir(listing);
	return proof;
}

static bool check_dax(const char *target, struct trouble *why)
{
	if (!dax_stuck(target))
		return trouble(why, FAILED_KERNEL_LACKS, EOPNOTSUPP, "dax",
		               "the guest kernel turned DAX off: it needs CONFIG_FS_DAX, and devices that can be mapped");
	int entries_left = MAX_ENTRIES_SEEN;
	int root = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return trouble(why, FAILED_REFUSED, errno, "", "the mounted image cannot be opened: %s", strerror(errno));
	if (ask_a_file(root, 0, &entries_left) == PROOF_NO_DAX)
		return trouble(why, FAILED_KERNEL_LACKS, EOPNOTSUPP, "dax",
		               "a file of the image is not mapped directly: the image must not keep file data inline");
	return true;
}

bool mount_image(const char *target, char (*devices)[DEVICE_PATH_BYTES], size_t count, bool *dax, struct trouble *why)
{
	char said[256];
	*dax = true;
	for (size_t i = 0; i < count; i++)
		*dax = *dax && is_persistent_memory(devices[i]);
	int context = fsopen("erofs", FSOPEN_CLOEXEC);
	if (context < 0)
		return errno == ENODEV ? trouble(why, FAILED_KERNEL_LACKS, ENODEV, "erofs",
		                                 "the guest kernel does not know erofs: use one with CONFIG_EROFS_FS")
		                       : trouble(why, FAILED_REFUSED, errno, "", "fsopen: %s", strerror(errno));
	if (configure(context, devices, count, *dax) < 0) {
		int error = errno;
		read_context_message(context, said, sizeof said);
		close(context);
		if (strstr(said, "dax") != NULL)
			return trouble(why, FAILED_KERNEL_LACKS, error, "dax", "the guest kernel refuses DAX: %s", said);
		return trouble(why, FAILED_REFUSED, error, "", "the image cannot be mounted: %s %s", strerror(error), said);
	}
	int mounted = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	int error = errno;
	close(context);
	if (mounted >= 0 && move_mount(mounted, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		error = errno;
		close(mounted);
		mounted = -1;
	}
	if (mounted < 0)
		return trouble(why, FAILED_REFUSED, error, "", "the image cannot be attached: %s", strerror(error));
	close(mounted);
	if (!*dax || check_dax(target, why))
		return true;
	umount2(target, MNT_DETACH);
	return false;
}
