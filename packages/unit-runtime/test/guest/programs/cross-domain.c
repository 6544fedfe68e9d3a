/*
 * A program of a unit that speaks Wayland through a cross-domain context of the unit's virtio-gpu: what a bridge such as
 * sommelier does, and a hostile guest beside it. What it says on standard output is a line of words for each thing that it
 * has seen. WORK is the first argument:
 *
 *   globals             `global NAME INTERFACE VERSION` for each, and `done`
 *   window COLOUR       a window of 256 x 160 pixels, painted in one colour (hexadecimal, xrrggbb); `shown` once the host has
 *                       drawn it; with a keyboard, `keymap TEXT` and `key CODE`; then it stays. `copy TEXT` on standard input
 *                       offers TEXT to the host's clipboard, and `sent` follows when somebody has read it
 *   bind NAME INTERFACE binds what may not be bound, and waits for the answer
 *   registries COUNT    asks so often what there is, with one message of the channel; `heard EVENTS`
 *   pools COUNT         makes so many pools of memory with one message of the channel, and waits for an answer
 *   bytes HEX           says these bytes
 *
 * The connection's end is `error OBJECT CODE TEXT`, or `closed`. What is true of the channel is from
 * crosvm's rutabaga_gfx 0.1.80 (cross_domain_protocol.rs), and of the device from Linux' drm/virtgpu_drm.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
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

/* cross_domain_protocol.rs */
enum { INIT = 1, IMAGE = 2, POLL = 3, SEND = 4, RECEIVE = 5, WRITE = 7 };
enum { WAYLAND = 1, QUERY_RING = 0, CHANNEL_RING = 1, NO_RING = -1 };
enum { A_BLOB = 1, A_WRITER = 4, MOST_THINGS = 28 };
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

enum { PAGE = 4096, WIDTH = 256, HEIGHT = 160, XRGB = 0x34325258 /* 'XR24' */ };

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

static void *map(uint32_t handle, size_t size, int access)
{
	struct map request = { .handle = handle };
	void *address;

	control(DRM_MAP, &request, "map");
	address = mmap(NULL, size, access, MAP_SHARED, device, (off_t)request.offset);
	if (address == MAP_FAILED)
		fail("mmap");
	return address;
}

/* A piece of memory that the host knows, too. `id`: what the host has announced; 0 for the guest's own. */
static struct blob allocate(uint32_t id, uint64_t size)
{
	struct blob blob = {
		.memory = id ? MEMORY_HOST : MEMORY_GUEST,
		.flags = id ? MAPPABLE | SHAREABLE : MAPPABLE,
		.size = size,
		.id = id,
	};

	control(DRM_BLOB, &blob, "blob");
	return blob;
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

static void open_channel(void)
{
	struct parameter parameters[] = {
		{ CONTEXT_SET, SET_CROSS_DOMAIN }, { CONTEXT_RINGS, 2 }, { CONTEXT_POLLED, 1 << CHANNEL_RING },
	};
	struct context context = { .count = 3, .parameters = (uintptr_t)parameters };
	struct blob rings[2];
	struct init init = { .header = { INIT, 0, sizeof(init), 0 }, .channel = WAYLAND };

	device = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail("open");
	control(DRM_CONTEXT, &context, "context");
	for (int i = 0; i < 2; i++)
		rings[i] = allocate(0, PAGE);
	query = map(rings[0].handle, PAGE, PROT_READ | PROT_WRITE);
	channel = map(rings[1].handle, PAGE, PROT_READ | PROT_WRITE);
	init.query_ring = rings[0].resource;
	init.channel_ring = rings[1].resource;
	query_handle = rings[0].handle;
	execute(&init, sizeof(init), NO_RING);
	listen_again();
}

/* Wayland. Objects are numbered in the order in which they are made, and none comes again. */
enum { DISPLAY = 1 };
static uint32_t newest = DISPLAY;
static uint32_t registry, compositor, shm, base, seat, data_manager;
static uint32_t surface, xdg_surface, toplevel, buffer, frame, keyboard, data_device, source;

static uint32_t words[1024];
static unsigned word_count;

static void begin(uint32_t object, uint32_t opcode)
{
	words[0] = object;
	words[1] = opcode;
	word_count = 2;
}

static void word(uint32_t value) { words[word_count++] = value; }

static void string(const char *text)
{
	uint32_t length = (uint32_t)strlen(text) + 1;

	word(length);
	words[word_count + length / 4] = 0;
	memcpy(&words[word_count], text, length);
	word_count += (length + 3) / 4;
}

/* What goes in one piece, with resources for its descriptors. */
static void say_bytes(const void *data, uint32_t size, const uint32_t *resources, unsigned count)
{
	struct message *message = calloc(1, sizeof(*message) + size + 4);

	message->header = (struct header){ SEND, 0, (uint16_t)((sizeof(*message) + size + 3) & ~3u), 0 };
	message->things = count;
	message->bytes = size;
	for (unsigned i = 0; i < count && i < MOST_THINGS; i++) {
		message->ids[i] = resources[i];
		message->kinds[i] = A_BLOB;
	}
	memcpy(message->data, data, size);
	execute(message, message->header.size, NO_RING);
	free(message);
}

static void end_with(const uint32_t *resource)
{
	words[1] |= word_count * 4 << 16;
	say_bytes(words, word_count * 4, resource, resource != NULL);
}

static void end(void) { end_with(NULL); }

static void request(uint32_t object, uint32_t opcode, int count, ...)
{
	va_list arguments;

	begin(object, opcode);
	va_start(arguments, count);
	while (count-- > 0)
		word(va_arg(arguments, uint32_t));
	va_end(arguments);
	end();
}

/* What has come and was no whole message yet, and what came with it. */
static uint8_t input[1 << 16];
static size_t input_size;
static struct { uint32_t id, kind, size; } things[64];
static unsigned thing_count;
static int closed;

/* Waits for one message of the channel; 0 when standard input has something instead. */
static int hear(int also_input)
{
	struct pollfd ready[2] = { { .fd = device, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
	struct message *message = channel;
	uint8_t event[32];

	fflush(stdout);
	if (poll(ready, also_input ? 2 : 1, -1) < 0)
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
		closed = 1;
		return 1;
	}
	if (input_size + message->bytes > sizeof(input) || thing_count + message->things > 64)
		fail("too much");
	memcpy(input + input_size, message->data, message->bytes);
	input_size += message->bytes;
	for (uint32_t i = 0; i < message->things; i++) {
		things[thing_count].id = message->ids[i];
		things[thing_count].kind = message->kinds[i];
		things[thing_count++].size = message->sizes[i];
	}
	listen_again();
	return 1;
}

struct event { uint32_t object, opcode; const uint32_t *arguments; };

/* The next event, if a whole one is there. It is valid until the next call. */
static int next(struct event *event)
{
	static uint32_t current[1024];
	uint32_t size;

	if (input_size < 8)
		return 0;
	memcpy(current, input, 8);
	size = current[1] >> 16;
	if (size < 8 || size > sizeof(current) || input_size < size)
		return 0;
	memcpy(current, input, size);
	input_size -= size;
	memmove(input, input + size, input_size);
	*event = (struct event){ current[0], current[1] & 0xffff, current + 2 };
	return 1;
}

static void finish(void)
{
	printf("closed\n");
	exit(0);
}

/*
 * Like with libwayland, an error is the end. The end of the connection may not be heard after it: where the proxy has closed it
 * with something of ours unread, crosvm gets ECONNRESET, ends the thread of the channel, and never says anything again.
 */
static void error(const struct event *event)
{
	printf("error %u %u %s\n", event->arguments[0], event->arguments[1], (const char *)&event->arguments[3]);
	exit(0);
}

/* Up to the answer to one `sync`, or the end. Anything that it does not know is nothing to it. */
static void round_trip(void (*each)(const struct event *))
{
	uint32_t mine = ++newest;
	struct event event;

	request(DISPLAY, 0, 1, mine);
	for (;;) {
		while (next(&event)) {
			if (event.object == mine)
				return;
			if (event.object == DISPLAY && event.opcode == 0)
				error(&event);
			else
				each(&event);
		}
		if (closed)
			finish();
		hear(0);
	}
}

/* The registry: names of what this program uses. */
static struct { const char *interface; uint32_t *object, version, name; } used[] = {
	{ "wl_compositor", &compositor, 4, 0 }, { "wl_shm", &shm, 1, 0 }, { "xdg_wm_base", &base, 1, 0 },
	{ "wl_seat", &seat, 1, 0 }, { "wl_data_device_manager", &data_manager, 1, 0 },
};
static int aloud, has_keyboard, configured, drawn;
static unsigned heard;

static void painted(const char *colour)
{
	struct image image = {
		.header = { IMAGE, 0, sizeof(image), 0 }, .width = WIDTH, .height = HEIGHT, .format = XRGB,
	};
	struct requirements *answer = query;
	uint32_t value = (uint32_t)strtoul(colour, NULL, 16), *pixels;
	struct blob blob;

	execute(&image, sizeof(image), QUERY_RING);
	printf("image %u %llu\n", answer->strides[0], (unsigned long long)answer->size);
	blob = allocate(answer->blob, answer->size);
	pixels = map(blob.handle, blob.size, PROT_READ | PROT_WRITE);
	for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
		pixels[i] = 0xff000000 | value;
	begin(shm, 0);
	word(++newest);
	word((uint32_t)blob.size);
	end_with(&blob.resource);
	buffer = ++newest;
	request(buffer - 1, 0, 6, buffer, 0, WIDTH, HEIGHT, WIDTH * 4, 1);
}

/* The first line of the memory that came with an event. */
static void keymap(uint32_t size)
{
	size_t whole = (size + PAGE - 1) / PAGE * PAGE;
	struct blob blob;
	const char *text;

	if (thing_count != 1 || things[0].kind != A_BLOB) {
		printf("failed keymap without memory: %u things\n", thing_count);
		return;
	}
	thing_count = 0;
	blob = allocate(things[0].id, whole);
	text = map(blob.handle, whole, PROT_READ);
	printf("keymap %u %.*s\n", size, (int)strcspn(text, "\n"), text);
}

static const char *copied;

/* Somebody wants what was copied; the writing end of the pipe stays with the host. */
static void give(void)
{
	size_t length = strlen(copied);
	struct pipe_bytes *write = calloc(1, sizeof(*write) + length + 4);

	if (thing_count != 1 || things[0].kind != A_WRITER) {
		printf("failed a wish without a pipe: %u things\n", thing_count);
		return;
	}
	thing_count = 0;
	write->header = (struct header){ WRITE, 0, (uint16_t)((sizeof(*write) + length + 3) & ~3u), 0 };
	write->id = things[0].id;
	write->hang_up = 1;
	write->bytes = (uint32_t)length;
	memcpy(write->data, copied, length);
	execute(write, write->header.size, NO_RING);
	free(write);
	printf("sent\n");
}

static uint32_t serial;

static void see(const struct event *event)
{
	const uint32_t *arguments = event->arguments;

	heard += event->object != DISPLAY;
	if (event->object == registry && event->opcode == 0) {
		const char *interface = (const char *)&arguments[2];
		uint32_t version = arguments[2 + (arguments[1] + 3) / 4];

		if (aloud)
			printf("global %u %s %u\n", arguments[0], interface, version);
		for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++)
			if (strcmp(interface, used[i].interface) == 0)
				used[i].name = arguments[0];
	} else if (event->object == base && event->opcode == 0) {
		request(base, 3, 1, arguments[0]);
	} else if (event->object == seat && event->opcode == 0) {
		has_keyboard = (arguments[0] & 2) != 0;
	} else if (event->object == xdg_surface && event->opcode == 0) {
		request(xdg_surface, 4, 1, arguments[0]);
		configured = 1;
	} else if (event->object == toplevel && event->opcode == 1) {
		printf("close\n");
		exit(0);
	} else if (event->object == frame) {
		drawn = 1;
	} else if (event->object == keyboard && event->opcode == 0) {
		keymap(arguments[1]);
	} else if (event->object == keyboard && event->opcode == 1) {
		serial = arguments[0];
		printf("entered\n");
	} else if (event->object == keyboard && event->opcode == 3) {
		/* It is the press that shows the user's will. */
		if (arguments[3] == 1)
			serial = arguments[0];
		printf("key %u %u\n", arguments[2], arguments[3]);
	} else if (event->object == source && event->opcode == 1) {
		give();
	}
}

static uint32_t bind_to(uint32_t name, const char *interface, uint32_t version)
{
	begin(registry, 0);
	word(name);
	string(interface);
	word(version);
	word(++newest);
	end();
	return newest;
}

static void connect_to_host(void)
{
	struct capabilities request = { .set = SET_CROSS_DOMAIN };
	uint32_t capset[4] = { 0 };

	open_channel();
	request.address = (uintptr_t)capset;
	request.size = sizeof(capset);
	control(DRM_CAPABILITIES, &request, "capabilities");
	printf("channels %u version %u\n", capset[1], capset[0]);
	begin(DISPLAY, 1);
	registry = ++newest;
	word(registry);
	end();
	round_trip(see);
}

static void copy(char *text)
{
	text[strcspn(text, "\n")] = 0;
	copied = strdup(text);
	source = ++newest;
	request(data_manager, 0, 1, source);
	begin(source, 0);
	string("text/plain");
	end();
	request(data_device, 1, 2, source, serial);
}

static void window(const char *colour)
{
	struct event event;

	for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		if (used[i].name != 0)
			*used[i].object = bind_to(used[i].name, used[i].interface, used[i].version);
	data_device = ++newest;
	request(data_manager, 1, 2, data_device, seat);
	round_trip(see);
	if (has_keyboard) {
		keyboard = ++newest;
		request(seat, 1, 1, keyboard);
	}
	surface = ++newest;
	request(compositor, 0, 1, surface);
	xdg_surface = ++newest;
	request(base, 2, 2, xdg_surface, surface);
	toplevel = ++newest;
	request(xdg_surface, 1, 1, toplevel);
	begin(toplevel, 2);
	string("ledger");
	end();
	begin(toplevel, 3);
	string("org.example.ledger");
	end();
	request(surface, 6, 0);
	while (!configured)
		round_trip(see);
	painted(colour);
	request(surface, 1, 3, buffer, 0, 0);
	request(surface, 2, 4, 0, 0, WIDTH, HEIGHT);
	frame = ++newest;
	request(surface, 3, 1, frame);
	request(surface, 6, 0);
	while (!drawn)
		round_trip(see);
	printf("shown\n");
	for (;;) {
		while (next(&event)) {
			if (event.object == DISPLAY && event.opcode == 0)
				error(&event);
			else
				see(&event);
		}
		if (closed)
			finish();
		if (!hear(1)) {
			char line[256];

			if (fgets(line, sizeof(line), stdin) == NULL)
				exit(0);
			if (strncmp(line, "copy ", 5) == 0)
				copy(line + 5);
		}
	}
}

/* All in one message of the channel, each with the same memory. */
static void pools(unsigned count)
{
	uint32_t many[64 * 4], resources[64];
	struct image image = {
		.header = { IMAGE, 0, sizeof(image), 0 }, .width = WIDTH, .height = HEIGHT, .format = XRGB,
	};
	struct requirements *answer = query;
	struct blob blob;

	execute(&image, sizeof(image), QUERY_RING);
	blob = allocate(answer->blob, answer->size);
	shm = bind_to(used[1].name, used[1].interface, used[1].version);
	for (unsigned i = 0; i < count && i < 64; i++) {
		resources[i] = blob.resource;
		memcpy(&many[i * 4], (uint32_t[]){ shm, 16 << 16, ++newest, (uint32_t)blob.size }, 16);
	}
	say_bytes(many, count * 16, resources, count);
	round_trip(see);
	printf("done\n");
}

/* The answer takes many messages of the channel, which begin and end anywhere in those of Wayland. */
static void registries(unsigned count)
{
	uint32_t many[512 * 3];

	for (unsigned i = 0; i < count && i < 512; i++)
		memcpy(&many[i * 3], (uint32_t[]){ DISPLAY, 12 << 16 | 1, ++newest }, 12);
	heard = 0;
	say_bytes(many, count * 12, NULL, 0);
	round_trip(see);
	printf("heard %u\n", heard);
}

int main(int argc, char **argv)
{
	const char *work = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	aloud = strcmp(work, "globals") == 0;
	connect_to_host();
	if (aloud) {
		printf("done\n");
	} else if (strcmp(work, "window") == 0 && argc == 3) {
		window(argv[2]);
	} else if (strcmp(work, "bind") == 0 && argc == 4) {
		bind_to((uint32_t)atoi(argv[2]), argv[3], 1);
		round_trip(see);
		printf("bound\n");
	} else if (strcmp(work, "registries") == 0 && argc == 3) {
		registries((unsigned)atoi(argv[2]));
	} else if (strcmp(work, "pools") == 0 && argc == 3) {
		pools((unsigned)atoi(argv[2]));
	} else if (strcmp(work, "bytes") == 0 && argc == 3) {
		uint8_t bytes[256];
		unsigned count = 0;

		for (const char *at = argv[2]; at[0] && at[1] && count < sizeof(bytes); at += 2) {
			char digits[3] = { at[0], at[1], 0 };

			bytes[count++] = (uint8_t)strtoul(digits, NULL, 16);
		}
		say_bytes(bytes, count, NULL, 0);
		round_trip(see);
		printf("understood\n");
	} else {
		return 2;
	}
	return 0;
}
