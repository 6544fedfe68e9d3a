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

bool bind_is_open(void) { return store >= 0; }

void set_bit(uint8_t *bits, size_t index) { bits[index / 8] = (uint8_t)(bits[index / 8] | (1U << (index % 8))); }

bool get_bit(const uint8_t *bits, size_t index) { return (bits[index / 8] & (1U << (index % 8))) != 0; }

static bool make_mount_point(int parent, const char *name, bool directory)
{
	if (directory)
		return mkdirat(parent, name, 0755) == 0;
	int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Makes `name` below `parent` (which is at `where`) show what `source`/`name` is: a bind, or the same link. */
static bool show(const char *source, int parent, const char *where, const char *name, struct trouble *why)
{
	char from[PATH_MAX];
	char target[PATH_MAX];
	struct stat entry;
	snprintf(from, sizeof from, "%s/%s", source, name);
	snprintf(target, sizeof target, "%s/%s", where, name);
	if (lstat(from, &entry) < 0)
		return trouble(why, FAILED_REFUSED, errno, "", "there is no entry %s: %s", name, strerror(errno));
	if (S_ISLNK(entry.st_mode)) {
		char link[PATH_MAX];
		ssize_t length = readlink(from, link, sizeof link - 1);
		link[length < 0 ? 0 : length] = '\0';
		if (length < 0 || symlinkat(link, parent, name) < 0)
			return trouble(why, FAILED_REFUSED, errno, "", "cannot link %s: %s", name, strerror(errno));
		return true;
	}
	if (!S_ISDIR(entry.st_mode) && !S_ISREG(entry.st_mode))
		return trouble(why, FAILED_REFUSED, EINVAL, "", "the entry %s is of no kind that a store holds", name);
	if (!make_mount_point(parent, name, S_ISDIR(entry.st_mode)))
		return trouble(why, FAILED_REFUSED, errno, "", "cannot make room for %s: %s", name, strerror(errno));
	/* The bind inherits ro,nosuid,nodev from its source's mount. */
	if (mount(from, target, NULL, MS_BIND, NULL) < 0) {
		int error = errno;
		unlinkat(parent, name, S_ISDIR(entry.st_mode) ? AT_REMOVEDIR : 0);
		return trouble(why, FAILED_REFUSED, error, "", "cannot bind %s: %s", name, strerror(error));
	}
	return true;
}

static bool is_there(const char *name)
{
	struct stat entry;
	return fstatat(store, name, &entry, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What is a bind mount loses the mount and then its mount point; a link is only unlinked. */
static bool hide(const char *name, struct trouble *why)
{
	char target[PATH_MAX];
	snprintf(target, sizeof target, STORE "/%s", name);
	if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
		return trouble(why, FAILED_REFUSED, errno, "", "cannot unmount %s: %s", name, strerror(errno));
	if (unlinkat(store, name, 0) < 0 && unlinkat(store, name, AT_REMOVEDIR) < 0)
		return trouble(why, FAILED_REFUSED, errno, "", "cannot remove %s: %s", name, strerror(errno));
	return true;
}

bool bind_names(const char *source, char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *bound,
                struct trouble *why)
{
	for (size_t i = 0; i < count; i++) {
		if (is_there(names[i]))
			continue;
		if (!show(source, store, STORE, names[i], why)) {
			struct trouble ignored;
			while (i-- > 0)
				if (get_bit(bound, i))
					hide(names[i], &ignored);
			return false;
		}
		set_bit(bound, i);
	}
	return true;
}

#define KEPT "/run/spectrum/kept"

/* Copies of the binds that are to go, in a file system of their own which goes with them. Returns it, or -1. */
static int keep(char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *removed, struct trouble *why)
{
	mkdir(KEPT, 0700);
	if (mount("kept", KEPT, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=16m,nr_inodes=40k") < 0 ||
	    mount(NULL, KEPT, NULL, MS_PRIVATE, NULL) < 0) {
		trouble(why, FAILED_REFUSED, errno, "", "cannot make room for a way back: %s", strerror(errno));
		umount2(KEPT, MNT_DETACH);
		return -1;
	}
	int kept = open(KEPT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < count; i++) {
		/* A name may stand there twice; once it is kept, it is. */
		struct stat before;
		if (!is_there(names[i]) || fstatat(kept, names[i], &before, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (!show(STORE, kept, KEPT, names[i], why)) {
			close(kept);
			umount2(KEPT, MNT_DETACH);
			return -1;
		}
		set_bit(removed, i);
	}
	return kept;
}

bool unbind_names(char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *removed, struct trouble *why)
{
	int kept = keep(names, count, removed, why);
	bool done = kept >= 0;
	for (size_t i = 0; done && i < count; i++) {
		if (!get_bit(removed, i) || hide(names[i], why))
			continue;
		struct trouble ignored;
		/* The one that would not go may have lost its mount already. */
		if (!is_there(names[i]) || hide(names[i], &ignored))
			show(KEPT, store, STORE, names[i], &ignored);
		while (i-- > 0)
			if (get_bit(removed, i))
				show(KEPT, store, STORE, names[i], &ignored);
		done = false;
	}
	if (kept >= 0) {
		close(kept);
		umount2(KEPT, MNT_DETACH);
	}
	return done;
}
