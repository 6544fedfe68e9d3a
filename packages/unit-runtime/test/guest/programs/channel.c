/*
 * What is true of the channel is from crosvm's rutabaga_gfx 0.1.80 (cross_domain_protocol.rs), and of the device from Linux'
 * drm/virtgpu_drm.h.
 */
#include "channel.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* drm/virtgpu_drm.h, as far as it is used. */
struct map { uint64_t offset; uint32_t handle, pad; };
struct execute {
	uint32_t flags, size;
	uint64_t command, handles;
	uint32_t handle_count;
	int32_t fence;
	uint32_t ring, pad;
};
struct wait { uint32_t handle, flags; };
struct capabilities { uint32_t set, version; uint64_t address; uint32_t size, pad; };
struct blob {
	uint32_t memory, flags, handle, resource;
	uint64_t size;
	uint32_t pad, command_size;
	uint64_t command, id;
};
struct parameter { uint64_t name, value; };
struct context { uint32_t count, pad; uint64_t parameters; };
#define DRM(number, type) _IOWR('d', 0x40 + (number), type)
#define DRM_MAP DRM(0x01, struct map)
#define DRM_EXECUTE DRM(0x02, struct execute)
#define DRM_WAIT DRM(0x08, struct wait)
#define DRM_CAPABILITIES DRM(0x09, struct capabilities)
#define DRM_BLOB DRM(0x0a, struct blob)
#define DRM_CONTEXT DRM(0x0b, struct context)
enum { EXECUTE_ON_RING = 4, MEMORY_GUEST = 1, MEMORY_HOST = 2, MAPPABLE = 1, SHAREABLE = 2 };
enum { CONTEXT_SET = 1, CONTEXT_RINGS = 2, CONTEXT_POLLED = 3, SET_CROSS_DOMAIN = 5 };

/* cross_domain_protocol.rs; thing_kind is from there, too. */
enum { INIT = 1, IMAGE = 2, POLL = 3, SEND = 4, RECEIVE = 5, WRITE = 7 };
enum { WAYLAND = 1, QUERY_RING = 0, CHANNEL_RING = 1, NO_RING = -1 };
enum { MOST_THINGS = 28 };
struct header { uint8_t command, ring; uint16_t size; uint32_t pad; };
struct init { struct header header; uint32_t query_ring, channel_ring, channel; };
struct image { struct header header; uint32_t width, height, format, flags; };
struct requirements {
	uint32_t strides[4], offsets[4];
	uint64_t modifier, size;
	uint32_t blob, map;
	int32_t memory, device;
};
struct message {
	struct header header;
	uint32_t things, bytes, ids[MOST_THINGS], kinds[MOST_THINGS], sizes[MOST_THINGS];
	uint8_t data[];
};
struct pipe_bytes { struct header header; uint32_t id, hang_up, bytes, pad; uint8_t data[]; };

enum { PAGE = 4096, XRGB = 0x34325258 /* 'XR24' */ };

static int device;
static void *query, *channel;
static uint32_t query_handle;

static void fail(const char *what)
{
	printf("failed %s: %s\n", what, strerror(errno));
	exit(1);
}

static void control(unsigned long request, void *argument, const char *what)
{
	int answer;

	do
		answer = ioctl(device, request, argument);
	while (answer < 0 && (errno == EINTR || errno == EAGAIN));
	if (answer < 0)
		fail(what);
}

/* `id`: what the host has announced; 0 for memory of the guest's own. */
static struct memory allocate(uint32_t id, uint64_t size)
{
	struct blob blob = {
		.memory = id ? MEMORY_HOST : MEMORY_GUEST,
		.flags = id ? MAPPABLE | SHAREABLE : MAPPABLE,
		.size = size,
		.id = id,
	};

	control(DRM_BLOB, &blob, "blob");
	return (struct memory){ .resource = blob.resource, .handle = blob.handle, .size = size };
}

void *map_memory(const struct memory *memory, int access)
{
	struct map request = { .handle = memory->handle };
	void *address;

	control(DRM_MAP, &request, "map");
	address = mmap(NULL, memory->size, access, MAP_SHARED, device, (off_t)request.offset);
	if (address == MAP_FAILED)
		fail("mmap");
	return address;
}

/* On CHANNEL_RING it ends when the host has written something into the channel's memory. */
static void execute(void *command, size_t size, int ring)
{
	struct execute request = { .size = (uint32_t)size, .command = (uintptr_t)command, .fence = -1 };

	if (ring != NO_RING) {
		request.flags = EXECUTE_ON_RING;
		request.ring = (uint32_t)ring;
	}
	if (ring == QUERY_RING) {
		request.handles = (uintptr_t)&query_handle;
		request.handle_count = 1;
	}
	control(DRM_EXECUTE, &request, "execute");
	if (ring == QUERY_RING) {
		struct wait wait = { .handle = query_handle };

		control(DRM_WAIT, &wait, "wait");
	}
}

static void listen_again(void)
{
	struct header poll = { .command = POLL, .ring = CHANNEL_RING, .size = sizeof(poll) };

	execute(&poll, sizeof(poll), CHANNEL_RING);
}

struct offer open_channel(void)
{
	struct parameter parameters[] = {
		{ CONTEXT_SET, SET_CROSS_DOMAIN }, { CONTEXT_RINGS, 2 }, { CONTEXT_POLLED, 1 << CHANNEL_RING },
	};
	struct context context = { .count = 3, .parameters = (uintptr_t)parameters };
	struct memory rings[2];
	struct init init = { .header = { INIT, 0, sizeof(init), 0 }, .channel = WAYLAND };
	uint32_t offered[4] = { 0 };
	struct capabilities capabilities = {
		.set = SET_CROSS_DOMAIN, .address = (uintptr_t)offered, .size = sizeof(offered),
	};

	device = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail("open");
	control(DRM_CONTEXT, &context, "context");
	for (int i = 0; i < 2; i++)
		rings[i] = allocate(0, PAGE);
	query = map_memory(&rings[0], PROT_READ | PROT_WRITE);
	channel = map_memory(&rings[1], PROT_READ | PROT_WRITE);
	init.query_ring = rings[0].resource;
	init.channel_ring = rings[1].resource;
	query_handle = rings[0].handle;
	execute(&init, sizeof(init), NO_RING);
	listen_again();
	control(DRM_CAPABILITIES, &capabilities, "capabilities");
	return (struct offer){ .version = offered[0], .channels = offered[1] };
}

struct memory open_memory(uint32_t id, uint64_t size)
{
	return allocate(id, (size + PAGE - 1) / PAGE * PAGE);
}

struct memory allocate_image(uint32_t width, uint32_t height)
{
	struct image image = {
		.header = { IMAGE, 0, sizeof(image), 0 }, .width = width, .height = height, .format = XRGB,
	};
	const struct requirements *answer = query;
	struct memory memory;

	execute(&image, sizeof(image), QUERY_RING);
	memory = allocate(answer->blob, answer->size);
	memory.stride = answer->strides[0];
	return memory;
}

static uint16_t size_of_message(uint32_t bytes)
{
	return (uint16_t)((sizeof(struct message) + bytes + 3) & ~3u);
}

static void begin_message(struct message *message, uint32_t bytes)
{
	message->header = (struct header){ SEND, 0, size_of_message(bytes), 0 };
	message->bytes = bytes;
}

void say_bytes(const void *data, uint32_t size, const uint32_t *resources, unsigned count)
{
	struct message *message = calloc(1, size_of_message(size));

	begin_message(message, size);
	message->things = count;
	for (unsigned i = 0; i < count && i < MOST_THINGS; i++) {
		message->ids[i] = resources[i];
		message->kinds[i] = A_MEMORY;
	}
	memcpy(message->data, data, size);
	execute(message, message->header.size, NO_RING);
	free(message);
}

void say_bytes_and_zeros(const void *data, uint32_t size, unsigned pieces)
{
	size_t first = size_of_message(size), rest = size_of_message(PIECE), whole = first + pieces * rest;
	uint8_t *messages = calloc(1, whole);

	begin_message((struct message *)messages, size);
	memcpy(((struct message *)messages)->data, data, size);
	for (size_t at = first; at < whole; at += rest)
		begin_message((struct message *)(messages + at), PIECE);
	execute(messages, whole, NO_RING);
	free(messages);
}

void write_and_close_pipe(uint32_t id, const void *data, uint32_t size)
{
	struct pipe_bytes *write = calloc(1, sizeof(*write) + size + 4);

	write->header = (struct header){ WRITE, 0, (uint16_t)((sizeof(*write) + size + 3) & ~3u), 0 };
	write->id = id;
	write->hang_up = 1;
	write->bytes = size;
	memcpy(write->data, data, size);
	execute(write, write->header.size, NO_RING);
	free(write);
}

int hear(struct arrivals *arrivals, int also_input, int milliseconds)
{
	struct pollfd ready[2] = { { .fd = device, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
	const struct message *message = channel;
	uint8_t event[32];

	fflush(stdout);
	if (poll(ready, also_input ? 2 : 1, milliseconds) < 0)
		fail("poll");
	if (!(ready[0].revents & POLLIN))
		return 0;
	if (read(device, event, sizeof(event)) <= 0)
		fail("event");
	if (message->header.command != RECEIVE) {
		printf("failed unexpected command %u\n", message->header.command);
		exit(1);
	}
	if (message->bytes == 0) {
		arrivals->closed = 1;
		return 1;
	}
	if (arrivals->size + message->bytes > sizeof(arrivals->bytes) || arrivals->thing_count + message->things > 64)
		fail("too much");
	memcpy(arrivals->bytes + arrivals->size, message->data, message->bytes);
	arrivals->size += message->bytes;
	for (uint32_t i = 0; i < message->things; i++)
		arrivals->things[arrivals->thing_count++] = (struct thing){ message->ids[i], message->kinds[i] };
	listen_again();
	return 1;
}
