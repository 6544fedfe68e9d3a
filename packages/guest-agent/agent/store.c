#include "store.h"
#include "answer.h"
#include "bind.h"
#include "channel.h"
#include "console.h"
#include "image.h"
#include "users.h"
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE "/run/spectrum/image"
#define RETRY_MS 50

enum work { WORK_NONE = 0, WORK_MOUNT, WORK_MOUNT_VIEW, WORK_UNBIND };

/* The one request that is being received or waits for its devices. */
static struct {
	enum work work;
	uint32_t id;
	int64_t deadline;
	size_t device_count; /* with the metadata image, which is the first */
	char ids[(LIMIT_MOUNT_DEVICES + 1) * DEVICE_ID_BYTES];
	char tag[LIMIT_TAG_BYTES + 1];
	size_t name_count;
	size_t names_received;
	char (*names)[LIMIT_NAME_BYTES + 1];
} pending;

static void forget(void)
{
	free(pending.names);
	memset(&pending, 0, sizeof pending);
}

static void fail_pending(const struct trouble *why)
{
	answer_failure(pending.id, why);
	forget();
}

void store_open(void)
{
	/* Programs must find the services in it; all else in it is for root. */
	mkdir("/run/spectrum", 0711);
	mkdir(IMAGE, 0700);
	if (!bind_open())
		give_up("cannot make /nix/store: %s", strerror(errno));
}

static const char *begin(enum work work, uint32_t id, uint32_t deadline_ms, uint32_t name_count)
{
	struct trouble why;
	if (pending.work != WORK_NONE)
		return "a request about the store while another is under way";
	pending.work = work;
	pending.id = id;
	pending.deadline = now_ms() + (deadline_ms < LIMIT_MOUNT_DEADLINE_MS ? deadline_ms : LIMIT_MOUNT_DEADLINE_MS);
	pending.name_count = name_count;
	pending.names = calloc(name_count, sizeof *pending.names);
	if (pending.names == NULL) {
		trouble(&why, FAILED_REFUSED, ENOMEM, "", "the unit has no memory for so many names");
		/* The names still come; they are counted and dropped. */
		answer_failure(pending.id, &why);
	}
	return NULL;
}

const char *store_mount(const struct request *request)
{
	const char *wrong = begin(WORK_MOUNT, request->id, request->mount.deadline_ms, request->mount.name_count);
	if (wrong != NULL)
		return wrong;
	pending.device_count = (size_t)request->mount.device_count + 1;
	memcpy(pending.ids, request->mount.image, DEVICE_ID_BYTES);
	memcpy(pending.ids + DEVICE_ID_BYTES, request->mount.devices,
	       (size_t)request->mount.device_count * DEVICE_ID_BYTES);
	return NULL;
}

const char *store_mount_view(const struct request *request)
{
	const char *wrong =
	    begin(WORK_MOUNT_VIEW, request->id, request->mount_view.deadline_ms, request->mount_view.name_count);
	if (wrong == NULL)
		memcpy(pending.tag, request->mount_view.tag, strlen(request->mount_view.tag) + 1);
	return wrong;
}

const char *store_unbind(const struct request *request)
{
	return begin(WORK_UNBIND, request->id, 0, request->unbind.name_count);
}

const char *store_names(const struct request *request)
{
	if (pending.work == WORK_NONE || pending.id != request->id)
		return "mount-names: no such request";
	if (request->names.count > pending.name_count - pending.names_received)
		return "mount-names: more than announced";
	for (uint32_t i = 0; i < request->names.count; i++) {
		const char *name = request->names.list[i];
		if (!is_store_name(name))
			return "mount-names: not the base name of a store path";
		if (pending.names != NULL)
			memcpy(pending.names[pending.names_received], name, strlen(name) + 1);
		pending.names_received++;
	}
	if (pending.names == NULL && pending.names_received == pending.name_count)
		forget();
	return NULL;
}

const char *store_cancel(uint32_t id)
{
	struct trouble why;
	if (pending.work == WORK_NONE || pending.id != id || pending.names_received < pending.name_count)
		return NULL; /* It crossed the answer. */
	trouble(&why, FAILED_CANCELLED, ECANCELED, "", "cancelled by the host");
	fail_pending(&why);
	return NULL;
}

static size_t bitmap_bytes(void) { return (pending.name_count + 7) / 8; }

/* Binds from `source` and answers. */
static void finish_mount(const char *source, bool dax)
{
	static uint8_t bound[LIMIT_MOUNT_NAMES / 8];
	struct trouble why;
	memset(bound, 0, sizeof bound);
	if (!bind_names(source, pending.names, pending.name_count, bound, &why)) {
		fail_pending(&why);
		return;
	}
	struct writer w = channel_begin(FRAME_MOUNTED);
	write_u32(&w, pending.id);
	write_u8(&w, dax);
	write_u32(&w, (uint32_t)pending.name_count);
	write_bytes(&w, bound, bitmap_bytes());
	channel_end(&w);
	forget();
}

/* Ends a request whose devices are not there and will not be; else it is tried again. */
static void wait_or_give_up(int64_t now, const struct trouble *late)
{
	struct trouble why;
	const char *driver = missing_driver();
	if (driver != NULL) {
		trouble(&why, FAILED_KERNEL_LACKS, ENODEV, driver,
		        "the guest kernel does not drive a device of the unit: use one with %s", driver);
		fail_pending(&why);
	} else if (now >= pending.deadline) {
		fail_pending(late);
	}
}

static bool lacks_store(void)
{
	struct trouble why;
	if (bind_is_open())
		return false;
	trouble(&why, FAILED_REFUSED, EOPNOTSUPP, "", "this agent has no store");
	fail_pending(&why);
	return true;
}

static void step_mount(int64_t now)
{
	static char devices[LIMIT_MOUNT_DEVICES + 1][DEVICE_PATH_BYTES];
	struct trouble why;
	size_t missing = 0;
	bool dax = false;
	if (find_devices(pending.ids, pending.device_count, devices, &missing) < pending.device_count) {
		trouble(&why, FAILED_TIMED_OUT, ETIMEDOUT, "",
		        "the device with the id %.64s did not appear in time: attach it before asking, or wait longer",
		        pending.ids + missing * DEVICE_ID_BYTES);
		wait_or_give_up(now, &why);
		return;
	}
	if (lacks_store())
		return;
	if (!mount_image(IMAGE, devices, pending.device_count, &dax, &why)) {
		fail_pending(&why);
		return;
	}
	finish_mount(IMAGE, dax);
	/* The binds hold the file system: it goes with the last of them, and nobody comes by this place meanwhile. */
	umount2(IMAGE, MNT_DETACH);
}

static void step_mount_view(int64_t now)
{
	struct trouble why;
	bool later = false;
	if (mount_view(pending.tag, &later, &why)) {
		finish_mount(VIEW, false);
		return;
	}
	if (!later) {
		fail_pending(&why);
		return;
	}
	trouble(&why, FAILED_TIMED_OUT, ETIMEDOUT, "", "no device with the tag %s appeared in time", pending.tag);
	wait_or_give_up(now, &why);
}

static void step_unbind(void)
{
	static uint8_t bits[2 * LIMIT_MOUNT_NAMES / 8];
	static uint8_t removed[LIMIT_MOUNT_NAMES / 8];
	static uint8_t used[LIMIT_MOUNT_NAMES / 8];
	struct trouble why;
	memset(removed, 0, sizeof removed);
	memset(used, 0, sizeof used);
	uint32_t processes = 0;
	if (!find_users(pending.names, pending.name_count, used, &processes)) {
		trouble(&why, FAILED_REFUSED, errno, "", "cannot look who uses the paths: %s", strerror(errno));
		fail_pending(&why);
		return;
	}
	if (!unbind_names(pending.names, pending.name_count, removed, &why)) {
		fail_pending(&why);
		return;
	}
	memcpy(bits, removed, bitmap_bytes());
	for (size_t i = 0; i < bitmap_bytes(); i++)
		bits[bitmap_bytes() + i] = used[i] & removed[i];
	struct writer w = channel_begin(FRAME_UNBOUND);
	write_u32(&w, pending.id);
	write_u32(&w, (uint32_t)pending.name_count);
	write_u32(&w, processes);
	write_bytes(&w, bits, 2 * bitmap_bytes());
	channel_end(&w);
	forget();
}

void store_step(int64_t now)
{
	if (pending.work == WORK_NONE || pending.names == NULL || pending.names_received < pending.name_count)
		return;
	if (pending.work == WORK_MOUNT)
		step_mount(now);
	else if (lacks_store())
		return;
	else if (pending.work == WORK_MOUNT_VIEW)
		step_mount_view(now);
	else
		step_unbind();
}

int store_timeout(int64_t now)
{
	(void)now;
	/* Events announce devices; trying again from time to time does not depend on them. */
	return pending.work != WORK_NONE && pending.names_received == pending.name_count ? RETRY_MS : -1;
}
