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

/* A directory of names, and where it is. */
struct place {
	int fd;
	const char *path;
};

/*
 * Makes `name` in `to` show what it is in `from`: a bind, or the same link. `kind` is its file type: the entry itself
 * is not looked at, for a view that hides it would not answer any more.
 */
static bool show(struct place from, struct place to, const char *name, mode_t kind, struct trouble *why)
{
	char source[PATH_MAX];
	char target[PATH_MAX];
	snprintf(source, sizeof source, "%s/%s", from.path, name);
	snprintf(target, sizeof target, "%s/%s", to.path, name);
	if (S_ISLNK(kind)) {
		char link[PATH_MAX];
		ssize_t length = readlinkat(from.fd, name, link, sizeof link - 1);
		link[length < 0 ? 0 : length] = '\0';
		if (length < 0 || symlinkat(link, to.fd, name) < 0)
			return trouble(why, FAILED_REFUSED, errno, "", "cannot link %s: %s", name, strerror(errno));
		return true;
	}
	if (!S_ISDIR(kind) && !S_ISREG(kind))
		return trouble(why, FAILED_REFUSED, EINVAL, "", "the entry %s is of no kind that a store holds", name);
	if (!make_mount_point(to.fd, name, S_ISDIR(kind)))
		return trouble(why, FAILED_REFUSED, errno, "", "cannot make room for %s: %s", name, strerror(errno));
	/* The bind inherits ro,nosuid,nodev from its source's mount. */
	if (mount(source, target, NULL, MS_BIND, NULL) < 0) {
		int error = errno;
		unlinkat(to.fd, name, S_ISDIR(kind) ? AT_REMOVEDIR : 0);
		return trouble(why, FAILED_REFUSED, error, "", "cannot bind %s: %s", name, strerror(error));
	}
	return true;
}

/* What `name` is in the directory itself, under whatever is mounted there; 0 when it is not there. */
static mode_t kind_of(int directory, const char *name, int sync)
{
	struct statx entry;
	return statx(directory, name, AT_SYMLINK_NOFOLLOW | sync, STATX_TYPE, &entry) == 0 ? entry.stx_mode : 0;
}

/* As far as it is known here: the server of a view may have ceased to know the entry. */
static mode_t known_kind_of(int directory, const char *name)
{
	return kind_of(directory, name, AT_STATX_DONT_SYNC);
}

/*
 * As it is now. The kernel remembers an entry of a view for a while; if the server has hidden it since, and shows it
 * again, what is remembered is stale for ever. Asked about that, the server says so, and the kernel looks again.
 */
static mode_t kind_now_of(int directory, const char *name) { return kind_of(directory, name, AT_STATX_FORCE_SYNC); }

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

static struct place store_place(void) { return (struct place){store, STORE}; }

static bool bind_all(struct place source, char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *bound,
                     struct trouble *why)
{
	for (size_t i = 0; i < count; i++) {
		if (known_kind_of(store, names[i]) != 0)
			continue;
		mode_t kind = kind_now_of(source.fd, names[i]);
		if (kind == 0)
			trouble(why, FAILED_REFUSED, errno, "", "there is no entry %s: %s", names[i], strerror(errno));
		if (kind == 0 || !show(source, store_place(), names[i], kind, why)) {
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

bool bind_names(const char *source, char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *bound,
                struct trouble *why)
{
	int fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return trouble(why, FAILED_REFUSED, errno, "", "cannot open %s: %s", source, strerror(errno));
	bool done = bind_all((struct place){fd, source}, names, count, bound, why);
	close(fd);
	return done;
}

#define KEPT "/run/spectrum/kept"

/* Copies of the binds that are to go, in a file system of their own which goes with them. Returns it, or -1. */
static int keep(char (*names)[LIMIT_NAME_BYTES + 1], size_t count, uint8_t *removed, struct trouble *why)
{
	mkdir(KEPT, 0700);
	if (mount("kept", KEPT, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=16m,nr_inodes=40k") < 0) {
		trouble(why, FAILED_REFUSED, errno, "", "cannot make room for a way back: %s", strerror(errno));
		return -1;
	}
	int kept = open(KEPT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = kept >= 0 && mount(NULL, KEPT, NULL, MS_PRIVATE, NULL) == 0;
	if (!done)
		trouble(why, FAILED_REFUSED, errno, "", "cannot make room for a way back: %s", strerror(errno));
	for (size_t i = 0; done && i < count; i++) {
		mode_t kind = known_kind_of(store, names[i]);
		/* A name may stand there twice; once it is kept, it is. */
		if (kind == 0 || known_kind_of(kept, names[i]) != 0)
			continue;
		done = show(store_place(), (struct place){kept, KEPT}, names[i], kind, why);
		if (done)
			set_bit(removed, i);
	}
	if (done)
		return kept;
	if (kept >= 0)
		close(kept);
	umount2(KEPT, MNT_DETACH);
	return -1;
}

static void give_back(int kept, const char *name)
{
	struct trouble ignored;
	show((struct place){kept, KEPT}, store_place(), name, known_kind_of(kept, name), &ignored);
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
		if (known_kind_of(store, names[i]) == 0 || hide(names[i], &ignored))
			give_back(kept, names[i]);
		while (i-- > 0)
			if (get_bit(removed, i))
				give_back(kept, names[i]);
		done = false;
	}
	if (kept >= 0) {
		close(kept);
		umount2(KEPT, MNT_DETACH);
	}
	return done;
}
