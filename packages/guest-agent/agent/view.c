#include "view.h"
#include "devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * How far the kernel reads ahead of who reads a file in sequence, and around a page that a mapped program touches.
 * Its own choice of 128 KiB is for disks. Each request to the view costs both sides as much as copying some hundred
 * KiB; beyond 512 KiB what is saved is less than what the unit's page cache holds in vain.
 */
#define READ_AHEAD_KIB "512"

/* The view works without it, too: a kernel that has no such setting keeps its own. */
static void read_ahead(void)
{
	struct statx view;
	/* What the kernel knows by itself: the view's server is not asked. */
	if (statx(AT_FDCWD, VIEW, AT_STATX_DONT_SYNC, 0, &view) < 0)
		return;
	char setting[64];
	snprintf(setting, sizeof setting, "/sys/class/bdi/%u:%u/read_ahead_kb", view.stx_dev_major, view.stx_dev_minor);
	int fd = open(setting, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t written = write(fd, READ_AHEAD_KIB, sizeof READ_AHEAD_KIB - 1);
	(void)written;
	close(fd);
}

bool mount_view(const char *tag, bool *later, struct trouble *why)
{
	static char mounted[LIMIT_TAG_BYTES + 1];
	*later = false;
	if (strcmp(mounted, tag) == 0)
		return true;
	if (mounted[0] != '\0')
		return trouble(why, FAILED_REFUSED, EBUSY, "", "the unit has another view already: %s", mounted);
	mkdir(VIEW, 0700);
	if (mount(tag, VIEW, "virtiofs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) == 0) {
		strncpy(mounted, tag, LIMIT_TAG_BYTES);
		read_ahead();
		return true;
	}
	int error = errno;
	const char *missing = missing_driver();
	if (error == ENODEV || (missing != NULL && strcmp(missing, "virtiofs") == 0))
		return trouble(why, FAILED_KERNEL_LACKS, ENODEV, "virtiofs",
		               "the guest kernel does not know virtio-fs: use one with CONFIG_VIRTIO_FS");
	/* What the kernel says of a tag that no device has. */
	*later = error == EINVAL;
	return trouble(why, FAILED_REFUSED, error, "", "the view %s cannot be mounted: %s", tag, strerror(error));
}
