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
 *   bytes HEX           says these bytes with many zeros behind them, and waits for an answer
 *
 * The connection's end is `closed`, after `error OBJECT CODE TEXT` if the host has refused it: no work leaves before that.
 */
#include "wayland.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { WIDTH = 256, HEIGHT = 160 };

static uint32_t registry, compositor, shm, base, seat, data_manager;
static uint32_t surface, xdg_surface, toplevel, buffer, frame, keyboard, data_device, source;

/* The registry: names of what this program uses. */
static struct { const char *interface; uint32_t *object, version, name; } used[] = {
	{ "wl_compositor", &compositor, 4, 0 }, { "wl_shm", &shm, 1, 0 }, { "xdg_wm_base", &base, 1, 0 },
	{ "wl_seat", &seat, 1, 0 }, { "wl_data_device_manager", &data_manager, 1, 0 },
};
static int aloud, has_keyboard, configured, drawn;
static unsigned heard;

static void painted(const char *colour)
{
	struct memory memory = allocate_image(WIDTH, HEIGHT);
	uint32_t value = (uint32_t)strtoul(colour, NULL, 16), *pixels = map_memory(&memory, PROT_READ | PROT_WRITE);
	uint32_t pool = new_object();

	printf("image %u %llu\n", memory.stride, (unsigned long long)memory.size);
	for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
		pixels[i] = 0xff000000 | value;
	begin(shm, 0);
	word(pool);
	word((uint32_t)memory.size);
	end_with(&memory);
	buffer = new_object();
	request(pool, 0, 6, buffer, 0, WIDTH, HEIGHT, WIDTH * 4, 1);
}

/* The first line of the memory that came with an event. */
static void keymap(uint32_t size)
{
	struct memory memory;
	const char *text;
	uint32_t id;

	if (!take_thing(A_MEMORY, &id)) {
		printf("failed keymap without memory\n");
		return;
	}
	memory = open_memory(id, size);
	text = map_memory(&memory, PROT_READ);
	printf("keymap %u %.*s\n", size, (int)strcspn(text, "\n"), text);
}

static const char *copied;

/* Somebody wants what was copied; the writing end of the pipe stays with the host. */
static void give(void)
{
	uint32_t pipe;

	if (!take_thing(A_PIPE_TO_WRITE, &pipe)) {
		printf("failed a wish without a pipe\n");
		return;
	}
	write_and_close_pipe(pipe, copied, (uint32_t)strlen(copied));
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
	uint32_t object = new_object();

	begin(registry, 0);
	word(name);
	string(interface);
	word(version);
	word(object);
	end();
	return object;
}

static void connect_to_host(void)
{
	struct offer offer = open_channel();

	printf("channels %u version %u\n", offer.channels, offer.version);
	registry = new_object();
	request(DISPLAY, 1, 1, registry);
	round_trip(see);
}

static void copy(char *text)
{
	text[strcspn(text, "\n")] = 0;
	copied = strdup(text);
	source = new_object();
	request(data_manager, 0, 1, source);
	begin(source, 0);
	string("text/plain");
	end();
	request(data_device, 1, 2, source, serial);
}

static void window(const char *colour)
{
	for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		if (used[i].name != 0)
			*used[i].object = bind_to(used[i].name, used[i].interface, used[i].version);
	data_device = new_object();
	request(data_manager, 1, 2, data_device, seat);
	round_trip(see);
	if (has_keyboard) {
		keyboard = new_object();
		request(seat, 1, 1, keyboard);
	}
	surface = new_object();
	request(compositor, 0, 1, surface);
	xdg_surface = new_object();
	request(base, 2, 2, xdg_surface, surface);
	toplevel = new_object();
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
	frame = new_object();
	request(surface, 3, 1, frame);
	request(surface, 6, 0);
	while (!drawn)
		round_trip(see);
	printf("shown\n");
	for (;;) {
		char line[256];

		if (listen_for(see))
			continue;
		if (fgets(line, sizeof(line), stdin) == NULL)
			exit(0);
		if (strncmp(line, "copy ", 5) == 0)
			copy(line + 5);
	}
}

/* All in one message of the channel, each with the same memory. */
static void pools(unsigned count)
{
	struct memory memory = allocate_image(WIDTH, HEIGHT);
	uint32_t many[64 * 4], resources[64];

	shm = bind_to(used[1].name, used[1].interface, used[1].version);
	for (unsigned i = 0; i < count && i < 64; i++) {
		resources[i] = memory.resource;
		memcpy(&many[i * 4], (uint32_t[]){ shm, 16 << 16, new_object(), (uint32_t)memory.size }, 16);
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
		memcpy(&many[i * 3], (uint32_t[]){ DISPLAY, 12 << 16 | 1, new_object() }, 12);
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
		/* More than the proxy takes at once. */
		say_bytes_and_zeros(bytes, count, 3);
		round_trip(see);
		printf("understood\n");
	} else {
		return 2;
	}
	return 0;
}
