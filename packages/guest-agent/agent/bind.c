#include "bind.h"
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE "/nix/store"

/*
 * The tmpfs by its first, writable mount. A read-only bind lies on top of it, so whoever comes by path can
 * change nothing, by accident or otherwise; only this descriptor can.
 */
static int store = -1;

bool is_store_name(const char *name)
{
	size_t hash = strspn(name, "0123456789abcdfghijklmnpqrsvwxyz");
	if (hash < 32 || name[32] != '-')
		return false;
	const char *rest = name + 33;
	size_t length = strlen(rest);
	return length >= 1 && length <= 211 &&
	       strspn(rest, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-._?=") == length;
}

bool bind_open(void)
{
	if (mount("store", STORE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=16m,nr_inodes=40k") < 0)
		return false;
	store = open(STORE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A peer group of its own: what is bound on top must not appear a second time underneath. */
	return store >= 0 && mount(STORE, STORE, NULL, MS_BIND, NULL) == 0 &&
	       mount(NULL, STORE, NULL, MS_PRIVATE, NULL) == 0 && mount(NULL, STORE, NULL, MS_SHARED, NULL) == 0 &&
	       mount(NULL, STORE, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) == 0;
}

static bool make_mount_point(const char *name, bool directory)
{
	if (directory)
		return mkdirat(store, name, 0755) == 0;
	int fd = openat(store, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void unbind(const char *name)
{
	char target[PATH_MAX];
	snprintf(target, sizeof target, STORE "/%s", name);
	umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (unlinkat(store, name, 0) < 0)
		unlinkat(store, name, AT_REMOVEDIR);
}

static bool bind_name(const char *image, const char *name, struct trouble *why)
{
	char source[PATH_MAX];
	char target[PATH_MAX];
	struct stat entry;
	snprintf(source, sizeof source, "%s/%s", image, name);
	snprintf(target, sizeof target, STORE "/%s", name);
	if (lstat(source, &entry) < 0)
		return trouble(why, FAILED_REFUSED, errno, "", "the image has no entry %s", name);
	if (S_ISLNK(entry.st_mode)) {
		char link[PATH_MAX];
		ssize_t length = readlink(source, link, sizeof link - 1);
		link[length < 0 ? 0 : length] = '\0';
		if (length < 0 || symlinkat(link, store, name) < 0)
			return trouble(why, FAILED_REFUSED, errno, "", "cannot link %s: %s", name, strerror(errno));
		return true;
	}
	if (!S_ISDIR(entry.st_mode) && !S_ISREG(entry.st_mode))
		return trouble(why, FAILED_REFUSED, EINVAL, "", "the image's entry %s is of no kind that a store holds", name);
	/* The bind inherits ro,nosuid,nodev from the image's mount. */
	if (!make_mount_point(name, S_ISDIR(entry.st_mode)) || mount(source, target, NULL, MS_BIND, NULL) < 0) {
		int error = errno;
		unbind(name);
		return trouble(why, FAILED_REFUSED, error, "", "cannot bind %s: %s", name, strerror(error));
	}
	return true;
}

bool bind_names(const char *image, char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *bound,
                struct trouble *why)
{
	struct stat there;
	for (size_t i = 0; i < count; i++) {
		if (fstatat(store, names[i], &there, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (!bind_name(image, names[i], why)) {
			while (i-- > 0)
				if ((bound[i / 8] & (1U << (i % 8))) != 0)
					unbind(names[i]);
			return false;
		}
		bound[i / 8] = (uint8_t)(bound[i / 8] | (1U << (i % 8)));
	}
	return true;
}
