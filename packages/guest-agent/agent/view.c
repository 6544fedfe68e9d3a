#include "view.h"
#include "devices.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

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
