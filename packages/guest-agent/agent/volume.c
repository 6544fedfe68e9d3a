#include "volume.h"
#include "answer.h"
#include "bind.h"
#include "boot.h"
#include "console.h"
#include "devices.h"
#include "mounter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_MS 50

static struct {
	char serial[LIMIT_SERIAL_BYTES + 1];
	char path[LIMIT_VOLUME_PATH_BYTES + 1];
	dev_t device;
} volumes[LIMIT_VOLUMES];
static uint32_t volume_count;

/* The one request that waits for its disk, or for its mount. */
static struct {
	bool waits;
	uint32_t id;
	int64_t deadline;
	bool read_only;
	char serial[LIMIT_SERIAL_BYTES + 1];
	char file_system[LIMIT_FILE_SYSTEM_BYTES + 1];
	char path[LIMIT_VOLUME_PATH_BYTES + 1];
} pending;

uint32_t volumes_count(void) { return volume_count; }

const char *volume_path(uint32_t index) { return volumes[index].path; }

dev_t volume_device(uint32_t index) { return volumes[index].device; }

static void finish(const struct trouble *failure)
{
	if (failure == NULL)
		answer_done(pending.id);
	else
		answer_failure(pending.id, failure);
	memset(&pending, 0, sizeof pending);
}

const char *volume_mount(const struct request *request)
{
	uint32_t patience = request->volume.deadline_ms;
	if (pending.waits)
		return "mount-volume: while another is under way";
	pending.waits = true;
	pending.id = request->id;
	pending.deadline = now_ms() + (patience < LIMIT_MOUNT_DEADLINE_MS ? patience : LIMIT_MOUNT_DEADLINE_MS);
	pending.read_only = request->volume.read_only;
	strcpy(pending.serial, request->volume.serial);
	strcpy(pending.file_system, request->volume.file_system);
	strcpy(pending.path, request->volume.path);
	return NULL;
}

void volume_cancel(uint32_t request)
{
	struct trouble why;
	if (!pending.waits || pending.id != request)
		return; /* It crossed the answer. */
	mounter_give_up();
	trouble(&why, FAILED_CANCELLED, ECANCELED, "", "cancelled by the host");
	finish(&why);
}

void volumes_give_up(void)
{
	struct trouble why;
	if (!pending.waits)
		return;
	mounter_give_up();
	trouble(&why, FAILED_CANCELLED, ECANCELED, "", "the unit is being shut down");
	finish(&why);
}

static bool is_taken(struct trouble *why)
{
	for (uint32_t i = 0; i < volume_count; i++) {
		if (strcmp(volumes[i].path, pending.path) == 0)
			return !trouble(why, FAILED_REFUSED, EBUSY, "", "another volume is mounted at %s", pending.path);
		if (strcmp(volumes[i].serial, pending.serial) == 0)
			return !trouble(why, FAILED_REFUSED, EBUSY, "", "the volume %s is mounted already", pending.serial);
	}
	if (mounter_hold(pending.serial) != HOLD_NONE)
		return !trouble(why, FAILED_REFUSED, EBUSY, "", "the disk of the volume %s does not answer an earlier mount",
		                pending.serial);
	return volume_count == LIMIT_VOLUMES &&
	       !trouble(why, FAILED_REFUSED, ENOSPC, "", "the unit has as many volumes as it may");
}

/* Opens the directory, made if it is not there. A link on the way is refused: a program may have put it there. */
static int open_part(int parent, const char *name)
{
	int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	bool made = mkdirat(parent, name, 0755) == 0;
	if (!made && errno == EROFS) {
		/* The sealed root is ours to add to. */
		boot_unseal();
		made = mkdirat(parent, name, 0755) == 0;
		int error = errno;
		boot_seal();
		errno = error;
	}
	return made || errno == EEXIST ? openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
}

static int open_place(const char *path)
{
	char parts[LIMIT_VOLUME_PATH_BYTES + 1];
	char *rest = NULL;
	strcpy(parts, path);
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (char *part = strtok_r(parts, "/", &rest); fd >= 0 && part != NULL; part = strtok_r(NULL, "/", &rest)) {
		int parent = fd;
		fd = open_part(parent, part);
		int error = errno;
		close(parent);
		errno = error;
	}
	return fd;
}

static bool attach(int mounted, struct trouble *why)
{
	int place = open_place(pending.path);
	bool done = place >= 0 &&
	            move_mount(mounted, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
	int error = errno;
	if (place >= 0)
		close(place);
	return done || trouble(why, FAILED_REFUSED, error, "", "nothing can be mounted at %s: %s", pending.path,
	                       strerror(error));
}

static bool place(int mounted, struct trouble *why)
{
	struct stat root = {0};
	bool done = attach(mounted, why);
	if (done && fstat(mounted, &root) < 0)
		say("the volume %s does not say which device it is: %s", pending.serial, strerror(errno));
	close(mounted);
	if (done) {
		volumes[volume_count].device = root.st_dev;
		strcpy(volumes[volume_count].serial, pending.serial);
		strcpy(volumes[volume_count].path, pending.path);
		volume_count++;
	}
	return done;
}

/* The disk is there, and is being mounted. */
static void mounting_step(int64_t now)
{
	struct trouble why;
	int mounted;
	enum mounter_state state = mounter_result(&mounted, &why);
	if (state == MOUNTER_DONE) {
		finish(place(mounted, &why) ? NULL : &why);
	} else if (state == MOUNTER_FAILED) {
		finish(&why);
	} else if (now >= pending.deadline) {
		mounter_give_up();
		trouble(&why, FAILED_TIMED_OUT, ETIMEDOUT, "",
		        "the disk with the serial number %s was not mounted in time: it does not answer, or needs longer",
		        pending.serial);
		finish(&why);
	}
}

static void begin(const char *device)
{
	struct mount_wish wish = {.read_only = pending.read_only};
	struct trouble why;
	strcpy(wish.device, device);
	strcpy(wish.serial, pending.serial);
	strcpy(wish.file_system, pending.file_system);
	if (!mounter_begin(&wish, &why))
		finish(&why);
}

void volume_step(int64_t now)
{
	char device[DEVICE_PATH_BYTES];
	struct trouble why;
	if (!pending.waits)
		return;
	if (mounter_fd() >= 0) {
		mounting_step(now);
		return;
	}
	/* One that was given up a moment ago. */
	if (mounter_hold(pending.serial) == HOLD_ENDS && now < pending.deadline)
		return;
	if (is_taken(&why)) {
		finish(&why);
		return;
	}
	/* A test build is an ordinary process: it has no disks and mounts nothing. */
	size_t found = bind_is_open() ? find_disks_by_serial(pending.serial, device) : 0;
	if (found > 1) {
		trouble(&why, FAILED_REFUSED, ENOTUNIQ, "", "%zu disks have the serial number %s", found, pending.serial);
		finish(&why);
	} else if (found == 1) {
		begin(device);
	} else if (lacks_driver("virtio_blk")) {
		trouble(&why, FAILED_KERNEL_LACKS, ENODEV, "virtio_blk",
		        "the guest kernel does not drive the unit's disks: boot the unit with what volumes need");
		finish(&why);
	} else if (now >= pending.deadline) {
		trouble(&why, FAILED_TIMED_OUT, ETIMEDOUT, "",
		        "no disk with the serial number %s appeared in time: attach it before asking, or wait longer",
		        pending.serial);
		finish(&why);
	}
}

int volume_fd(void) { return mounter_fd(); }

int volume_timeout(int64_t now)
{
	if (!pending.waits)
		return -1;
	if (mounter_fd() < 0)
		return RETRY_MS;
	return now >= pending.deadline ? 0 : (int)(pending.deadline - now);
}
