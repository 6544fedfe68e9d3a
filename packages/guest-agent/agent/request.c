#include "request.h"
#include "wire.h"

#include <string.h>

static char *read_text(struct reader *r, struct request *out, size_t max)
{
	size_t length = read_u16(r);
	const uint8_t *bytes = read_bytes(r, length);
	if (bytes == NULL)
		return NULL;
	/* A frame cannot hold more text than this, even if every text grows by its NUL. */
	if (length > max || memchr(bytes, 0, length) != NULL || length + 1 > sizeof out->text - out->text_used) {
		r->bad = true;
		return NULL;
	}
	char *text = out->text + out->text_used;
	memcpy(text, bytes, length);
	text[length] = '\0';
	out->text_used += length + 1;
	return text;
}

/* A NULL-terminated list of texts. */
static char **read_texts(struct reader *r, struct request *out, size_t max_count, size_t max, size_t *count)
{
	*count = read_u16(r);
	size_t room = sizeof out->pointers / sizeof out->pointers[0] - out->pointers_used;
	if (r->bad || *count > max_count || *count + 1 > room) {
		r->bad = true;
		return NULL;
	}
	char **list = out->pointers + out->pointers_used;
	for (size_t i = 0; i < *count; i++)
		list[i] = read_text(r, out, max);
	list[*count] = NULL;
	out->pointers_used += *count + 1;
	return list;
}

static const char *read_ids(struct reader *r, size_t count)
{
	const uint8_t *digits = read_bytes(r, count * DEVICE_ID_BYTES);
	for (size_t i = 0; digits != NULL && i < count * DEVICE_ID_BYTES; i++) {
		uint8_t c = digits[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			r->bad = true;
	}
	return (const char *)digits;
}

/* Both are given, or neither. */
static bool is_user(uint32_t uid, uint32_t gid) { return (uid == USER_OWN) == (gid == USER_OWN); }

static const char *decode_exec(struct reader *r, struct request *out)
{
	size_t argc = 0;
	size_t envc = 0;
	uint8_t open = read_u8(r);
	out->exec.stdin_open = open == 1;
	out->exec.credit[0] = read_u32(r);
	out->exec.credit[1] = read_u32(r);
	out->exec.rows = read_u16(r);
	out->exec.columns = read_u16(r);
	out->exec.uid = read_u32(r);
	out->exec.gid = read_u32(r);
	out->exec.cwd = read_text(r, out, LIMIT_PATH_BYTES);
	out->exec.argv = read_texts(r, out, LIMIT_ARGV_COUNT, LIMIT_FRAME_BYTES, &argc);
	out->exec.env = read_texts(r, out, LIMIT_ENV_COUNT, LIMIT_FRAME_BYTES, &envc);
	if (r->bad)
		return "exec: malformed";
	if (open > 1 || argc == 0 || out->exec.argv[0][0] != '/' || out->exec.cwd[0] != '/')
		return "exec: out of range";
	if (out->exec.credit[0] > LIMIT_MAX_CREDIT || out->exec.credit[1] > LIMIT_MAX_CREDIT)
		return "exec: too much credit";
	if ((out->exec.rows == 0) != (out->exec.columns == 0))
		return "exec: half a terminal";
	return is_user(out->exec.uid, out->exec.gid) ? NULL : "exec: half a user";
}

/* One part after the other, each a name, and none that leads elsewhere. */
static bool is_canonical(const char *path)
{
	if (path[0] != '/' || path[1] == '\0')
		return false;
	while (*path == '/') {
		size_t length = strcspn(++path, "/");
		if (length == 0 || (length == 1 && path[0] == '.') || (length == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += length;
	}
	return true;
}

static bool is_at_or_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static bool may_be_mounted_on(const char *path)
{
	static const char *const own[] = {"/proc", "/sys", "/dev", "/nix", "/run/spectrum", "/modules", "/init"};
	if (!is_canonical(path) || strcmp(path, "/run") == 0)
		return false;
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (is_at_or_below(path, own[i]))
			return false;
	return true;
}

static bool consists_of(const char *text, const char *characters)
{
	return text[0] != '\0' && strspn(text, characters) == strlen(text);
}

static const char *decode_mount_volume(struct reader *r, struct request *out)
{
	out->volume.deadline_ms = read_u32(r);
	uint8_t read_only = read_u8(r);
	out->volume.read_only = read_only == 1;
	out->volume.serial = read_text(r, out, LIMIT_SERIAL_BYTES);
	out->volume.file_system = read_text(r, out, LIMIT_FILE_SYSTEM_BYTES);
	out->volume.path = read_text(r, out, LIMIT_VOLUME_PATH_BYTES);
	if (r->bad || read_only > 1)
		return "mount-volume: malformed";
	if (!consists_of(out->volume.serial, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_."))
		return "mount-volume: not a serial number";
	if (strcmp(out->volume.file_system, "ext4") != 0)
		return "mount-volume: not a file system of volumes";
	return may_be_mounted_on(out->volume.path) ? NULL : "mount-volume: not a place for a volume";
}

static const char *decode_file(struct reader *r, struct request *out)
{
	out->file.uid = out->file.gid = USER_OWN;
	if (out->type == FRAME_PUT_FILE) {
		out->file.size = read_u64(r);
		out->file.mode = read_u16(r);
		out->file.uid = read_u32(r);
		out->file.gid = read_u32(r);
	}
	out->file.below = read_text(r, out, LIMIT_PATH_BYTES);
	out->file.path = read_text(r, out, LIMIT_PATH_BYTES);
	if (r->bad)
		return "a file: malformed";
	if (out->file.below[0] != '/' || out->file.path[0] == '\0' || out->file.path[0] == '/')
		return "a file: not a path below a directory";
	if (out->type == FRAME_PUT_FILE && (out->file.size > LIMIT_FILE_BYTES || out->file.mode > 07777))
		return "put-file: out of range";
	return is_user(out->file.uid, out->file.gid) ? NULL : "put-file: half a user";
}

static const char *check_name_count(uint32_t count)
{
	return count == 0 || count > LIMIT_MOUNT_NAMES ? "number of names out of range" : NULL;
}

static const char *decode_mount(struct reader *r, struct request *out)
{
	out->mount.deadline_ms = read_u32(r);
	out->mount.image = read_ids(r, 1);
	out->mount.device_count = read_u16(r);
	if (out->mount.device_count > LIMIT_MOUNT_DEVICES)
		return "mount: too many devices";
	out->mount.devices = read_ids(r, out->mount.device_count);
	out->mount.name_count = read_u32(r);
	if (r->bad)
		return "mount: malformed";
	return check_name_count(out->mount.name_count);
}

static const char *decode_mount_view(struct reader *r, struct request *out)
{
	out->mount_view.deadline_ms = read_u32(r);
	out->mount_view.tag = read_text(r, out, LIMIT_TAG_BYTES);
	out->mount_view.name_count = read_u32(r);
	if (r->bad)
		return "mount-view: malformed";
	if (out->mount_view.tag[0] == '\0')
		return "mount-view: an empty tag";
	return check_name_count(out->mount_view.name_count);
}

/* Names become paths: nothing but letters, digits and hyphens, and a letter first. */
static bool is_service_name(const char *name)
{
	if (!(*name >= 'a' && *name <= 'z'))
		return false;
	for (; *name != '\0'; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9') ||
		      *name == '-'))
			return false;
	return true;
}

static const char *decode_offer(struct reader *r, struct request *out)
{
	size_t count = 0;
	out->names.list = read_texts(r, out, LIMIT_SERVICES, LIMIT_SERVICE_NAME_BYTES, &count);
	out->names.count = (uint32_t)count;
	if (r->bad || count == 0)
		return "offer-services: malformed";
	for (size_t i = 0; i < count; i++)
		if (!is_service_name(out->names.list[i]))
			return "offer-services: not a name of a service";
	return NULL;
}

static const char *decode_fields(struct reader *r, struct request *out)
{
	size_t count = 0;
	switch (out->type) {
	case FRAME_WELCOME:
		out->version = read_u16(r);
		return NULL;
	case FRAME_EXEC:
		return decode_exec(r, out);
	case FRAME_STDIN:
	case FRAME_SEND:
		out->chunk.offset = read_u64(r);
		out->chunk.size = r->left;
		out->chunk.bytes = read_bytes(r, r->left);
		return out->chunk.size == 0 || out->chunk.size > LIMIT_CHUNK_BYTES ? "a chunk's length is out of range" : NULL;
	case FRAME_STDIN_END:
	case FRAME_SEND_END:
		out->chunk.offset = read_u64(r);
		return NULL;
	case FRAME_RECEIVE_CREDIT:
		out->credit = read_u32(r);
		return out->credit == 0 ? "receive-credit: out of range" : NULL;
	case FRAME_OUTPUT_CREDIT:
		out->output_credit.stream = read_u8(r);
		out->output_credit.credit = read_u32(r);
		if (out->output_credit.stream != STREAM_STDOUT && out->output_credit.stream != STREAM_STDERR)
			return "output-credit: no such stream";
		return out->output_credit.credit == 0 || out->output_credit.credit > LIMIT_MAX_CREDIT
		           ? "output-credit: out of range"
		           : NULL;
	case FRAME_SIGNAL:
		out->signal.command = read_u32(r);
		out->signal.signal = read_u8(r);
		return out->signal.signal == 0 || out->signal.signal > 64 ? "signal: out of range" : NULL;
	case FRAME_MOUNT:
		return decode_mount(r, out);
	case FRAME_MOUNT_VIEW:
		return decode_mount_view(r, out);
	case FRAME_UNBIND:
		out->unbind.name_count = read_u32(r);
		return r->bad ? "unbind: malformed" : check_name_count(out->unbind.name_count);
	case FRAME_MOUNT_NAMES:
		out->names.list = read_texts(r, out, LIMIT_MOUNT_NAMES, LIMIT_NAME_BYTES, &count);
		out->names.count = (uint32_t)count;
		return count == 0 ? "mount-names: empty" : NULL;
	case FRAME_OFFER_SERVICES:
		return decode_offer(r, out);
	case FRAME_CONNECT:
		out->connect.path = read_text(r, out, LIMIT_SOCKET_PATH_BYTES);
		return r->bad || out->connect.path[0] != '/' ? "connect: not an absolute path" : NULL;
	case FRAME_RESIZE:
		out->resize.command = read_u32(r);
		out->resize.rows = read_u16(r);
		out->resize.columns = read_u16(r);
		return out->resize.rows == 0 || out->resize.columns == 0 ? "resize: out of range" : NULL;
	case FRAME_HANG_UP:
		out->command = read_u32(r);
		return NULL;
	case FRAME_MOUNT_VOLUME:
		return decode_mount_volume(r, out);
	case FRAME_SET_CLOCK:
		out->microseconds = read_u64(r);
		return out->microseconds < LIMIT_CLOCK_FROM_MICROSECONDS || out->microseconds > LIMIT_CLOCK_TO_MICROSECONDS
		           ? "set-clock: out of range"
		           : NULL;
	case FRAME_ADD_ENTROPY:
		out->entropy.size = r->left;
		out->entropy.bytes = read_bytes(r, r->left);
		return out->entropy.size < LIMIT_ENTROPY_FROM_BYTES || out->entropy.size > LIMIT_ENTROPY_BYTES
		           ? "add-entropy: length out of range"
		           : NULL;
	case FRAME_SHUT_DOWN:
		out->shut_down.grace_ms = read_u32(r);
		out->shut_down.deadline_ms = read_u32(r);
		return out->shut_down.grace_ms > LIMIT_SHUTDOWN_GRACE_MS ||
		               out->shut_down.deadline_ms > LIMIT_SHUTDOWN_DEADLINE_MS ||
		               out->shut_down.deadline_ms < out->shut_down.grace_ms
		           ? "shut-down: out of range"
		           : NULL;
	case FRAME_PUT_FILE:
	case FRAME_GET_FILE:
		return decode_file(r, out);
	case FRAME_PING:
	case FRAME_RECEIVE_STOP:
	case FRAME_RESET:
	case FRAME_KILL:
	case FRAME_MOUNT_CANCEL:
	case FRAME_POWER_OFF:
	case FRAME_LIST_STORE:
		return NULL;
	default:
		return "unknown frame type";
	}
}

const char *decode_request(const uint8_t *body, size_t size, struct request *out)
{
	struct reader r = {.at = body, .left = size, .bad = false};
	out->text_used = 0;
	out->pointers_used = 0;
	out->type = read_u8(&r);
	out->id = out->type == FRAME_WELCOME ? 0 : read_u32(&r);
	const char *wrong = decode_fields(&r, out);
	if (wrong != NULL)
		return wrong;
	if (r.bad)
		return "a frame is cut short";
	if (r.left != 0)
		return "a frame has bytes too many";
	return NULL;
}
