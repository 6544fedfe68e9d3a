#include "store.h"
#include "bind.h"
#include "channel.h"
#include "console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGES "/run/spectrum/images"
#define MAX_IMAGES 256
#define RETRY_MS 50

/* The one request that is being received or waits for its devices. */
static struct {
	bool active;
	uint32_t id;
	int64_t deadline;
	size_t device_count; /* with the metadata image, which is the first */
	char ids[(LIMIT_MOUNT_DEVICES + 1) * DEVICE_ID_BYTES];
	size_t name_count;
	size_t names_received;
	char (*names)[LIMIT_NAME_BYTES + 1];
} pending;

static char mounted_images[MAX_IMAGES][DEVICE_ID_BYTES];
static size_t mounted_count;

static void answer_failure(uint32_t id, const struct trouble *why)
{
	struct writer w = channel_begin(FRAME_FAILED);
	write_u32(&w, id);
	write_u8(&w, why->kind);
	write_u32(&w, (uint32_t)why->error);
	write_text(&w, why->feature, 64);
	write_text(&w, why->message, LIMIT_MESSAGE_BYTES);
	channel_end(&w);
}

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
	mkdir("/run/spectrum", 0700);
	mkdir(IMAGES, 0700);
	if (!bind_open())
		give_up("cannot make /nix/store: %s", strerror(errno));
}

const char *store_mount(const struct request *request)
{
	struct trouble why;
	if (pending.active)
		return "mount: while another is under way";
	pending.active = true;
	pending.id = request->id;
	uint32_t deadline_ms = request->mount.deadline_ms;
	pending.deadline = now_ms() + (deadline_ms < LIMIT_MOUNT_DEADLINE_MS ? deadline_ms : LIMIT_MOUNT_DEADLINE_MS);
	pending.device_count = (size_t)request->mount.device_count + 1;
	memcpy(pending.ids, request->mount.image, DEVICE_ID_BYTES);
	memcpy(pending.ids + DEVICE_ID_BYTES, request->mount.devices,
	       (size_t)request->mount.device_count * DEVICE_ID_BYTES);
	pending.name_count = request->mount.name_count;
	pending.names = calloc(pending.name_count, sizeof *pending.names);
	if (pending.names == NULL) {
		trouble(&why, FAILED_REFUSED, ENOMEM, "", "the unit has no memory for so many names");
		/* The names still come; they are counted and dropped. */
		answer_failure(pending.id, &why);
	}
	return NULL;
}

const char *store_names(const struct request *request)
{
	if (!pending.active || pending.id != request->id)
		return "mount-names: no such mount";
	if (request->mount_names.count > pending.name_count - pending.names_received)
		return "mount-names: more than announced";
	for (uint32_t i = 0; i < request->mount_names.count; i++) {
		const char *name = request->mount_names.names[i];
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
	if (!pending.active || pending.id != id || pending.names_received < pending.name_count)
		return NULL; /* It crossed the answer. */
	trouble(&why, FAILED_CANCELLED, ECANCELED, "", "cancelled by the host");
	fail_pending(&why);
	return NULL;
}

static void image_path(char path[128]) { snprintf(path, 128, IMAGES "/%.64s", pending.ids); }

static bool already_mounted(void)
{
	for (size_t i = 0; i < mounted_count; i++)
		if (memcmp(mounted_images[i], pending.ids, DEVICE_ID_BYTES) == 0)
			return true;
	return false;
}

static void answer_mounted(const uint8_t *bound)
{
	struct writer w = channel_begin(FRAME_MOUNTED);
	write_u32(&w, pending.id);
	write_u8(&w, 1); /* Without DAX there is no success. */
	write_u32(&w, (uint32_t)pending.name_count);
	write_bytes(&w, bound, (pending.name_count + 7) / 8);
	channel_end(&w);
}

static bool mount_and_bind(char (*devices)[DEVICE_PATH_BYTES], uint8_t *bound, struct trouble *why)
{
	char path[128];
	bool fresh = !already_mounted();
	image_path(path);
	if (fresh && mounted_count == MAX_IMAGES)
		return trouble(why, FAILED_REFUSED, ENOSPC, "", "the unit has as many images mounted as it may");
	if (fresh) {
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return trouble(why, FAILED_REFUSED, errno, "", "cannot make %s: %s", path, strerror(errno));
		if (!mount_image(path, devices, pending.device_count, why)) {
			rmdir(path);
			return false;
		}
	}
	if (!bind_names(path, pending.names, pending.name_count, bound, why)) {
		if (fresh) {
			umount2(path, MNT_DETACH);
			rmdir(path);
		}
		return false;
	}
	if (fresh)
		memcpy(mounted_images[mounted_count++], pending.ids, DEVICE_ID_BYTES);
	return true;
}

void store_step(int64_t now)
{
	static char devices[LIMIT_MOUNT_DEVICES + 1][DEVICE_PATH_BYTES];
	static uint8_t bound[LIMIT_MOUNT_NAMES / 8];
	struct trouble why;
	size_t missing = 0;
	if (!pending.active || pending.names == NULL || pending.names_received < pending.name_count)
		return;
	if (!already_mounted() && find_devices(pending.ids, pending.device_count, devices, &missing) < pending.device_count) {
		if (!pmem_driver_present()) {
			trouble(&why, FAILED_KERNEL_LACKS, ENODEV, "virtio_pmem",
			        "the guest kernel does not drive virtio-pmem: use one with CONFIG_VIRTIO_PMEM");
			fail_pending(&why);
		} else if (now >= pending.deadline) {
			trouble(&why, FAILED_TIMED_OUT, ETIMEDOUT, "",
			        "the device with the id %.64s did not appear in time: attach it before asking, or wait longer",
			        pending.ids + missing * DEVICE_ID_BYTES);
			fail_pending(&why);
		}
		return;
	}
	memset(bound, 0, sizeof bound);
	if (!mount_and_bind(devices, bound, &why)) {
		fail_pending(&why);
		return;
	}
	answer_mounted(bound);
	forget();
}

int store_timeout(int64_t now)
{
	(void)now;
	/* Events announce devices; trying again from time to time does not depend on them. */
	return pending.active && pending.names_received == pending.name_count ? RETRY_MS : -1;
}
