/* Feeds the decoder of the host's frames: fuzz-decoder SEED ROUNDS. The sanitizers are the judge. */
#include "request.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint32_t next(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) % below);
}

static void put_some_text(struct writer *w)
{
	char text[300];
	size_t length = next(next(8) == 0 ? sizeof text : 12);
	for (size_t i = 0; i < length; i++)
		text[i] = (char)('/' + next(70));
	write_u16(w, (uint16_t)length);
	write_bytes(w, text, length);
}

static void put_some_path(struct writer *w)
{
	static const char *const paths[] = {"/data", "/home/x", "/", "/a/../b", "/proc/x", "/nix", "/run", "relative", "/a//b"};
	const char *path = paths[next(sizeof paths / sizeof paths[0])];
	write_u16(w, (uint16_t)strlen(path));
	write_bytes(w, path, strlen(path));
}

static void put_some_user(struct writer *w)
{
	bool own = next(2) == 0;
	write_u32(w, own ? USER_OWN : next(1000));
	write_u32(w, own != (next(8) == 0) ? USER_OWN : next(1000));
}

/* A frame that is nearly right: valid shapes, sometimes with wrong counts. */
static size_t make_frame(uint8_t *bytes, size_t room)
{
	static const uint8_t types[] = {FRAME_WELCOME, FRAME_EXEC,   FRAME_STDIN,       FRAME_STDIN_END,    FRAME_OUTPUT_CREDIT,
	                                FRAME_SIGNAL,  FRAME_KILL,   FRAME_MOUNT,       FRAME_MOUNT_NAMES,  FRAME_MOUNT_CANCEL,
	                                FRAME_POWER_OFF, FRAME_LIST_STORE, FRAME_MOUNT_VIEW, FRAME_UNBIND,
	                                FRAME_OFFER_SERVICES, FRAME_CONNECT, FRAME_SEND, FRAME_SEND_END,
	                                FRAME_RECEIVE_CREDIT, FRAME_RECEIVE_STOP, FRAME_RESET, FRAME_PING, FRAME_RESIZE,
	                                FRAME_HANG_UP, FRAME_MOUNT_VOLUME, FRAME_SET_CLOCK, FRAME_ADD_ENTROPY,
	                                FRAME_SHUT_DOWN, FRAME_PUT_FILE, FRAME_GET_FILE, 0, 255};
	struct writer w = {.at = bytes, .left = room, .bad = false};
	uint8_t type = types[next(sizeof types)];
	write_u8(&w, type);
	write_u32(&w, next(1000));
	uint32_t count;
	switch (type) {
	case FRAME_EXEC:
		write_u8(&w, (uint8_t)next(3));
		write_u32(&w, next(2 * LIMIT_MAX_CREDIT));
		write_u32(&w, next(LIMIT_MAX_CREDIT));
		write_u16(&w, (uint16_t)next(3));
		write_u16(&w, (uint16_t)next(3));
		put_some_user(&w);
		put_some_text(&w);
		for (int list = 0; list < 2; list++) {
			count = next(next(4) == 0 ? 1100 : 5);
			write_u16(&w, (uint16_t)(next(20) == 0 ? next(65536) : count));
			for (uint32_t i = 0; i < count; i++)
				put_some_text(&w);
		}
		break;
	case FRAME_MOUNT:
		write_u32(&w, next(100000));
		count = next(6);
		for (uint32_t i = 0; i < 64; i++)
			write_u8(&w, (uint8_t)("0123456789abcdef"[next(16)]));
		write_u16(&w, (uint16_t)(next(10) == 0 ? next(65536) : count));
		for (uint32_t i = 0; i < 64 * count; i++)
			write_u8(&w, (uint8_t)("0123456789abcdef"[next(16)]));
		write_u32(&w, next(20000));
		break;
	case FRAME_MOUNT_VIEW:
		write_u32(&w, next(100000));
		put_some_text(&w);
		write_u32(&w, next(20000));
		break;
	case FRAME_UNBIND:
		write_u32(&w, next(20000));
		break;
	case FRAME_CONNECT:
		put_some_text(&w);
		break;
	case FRAME_RESIZE:
		write_u32(&w, next(1000));
		write_u16(&w, (uint16_t)next(3));
		write_u16(&w, (uint16_t)next(70000));
		break;
	case FRAME_MOUNT_VOLUME:
		write_u32(&w, next(100000));
		write_u8(&w, (uint8_t)next(3));
		put_some_text(&w);
		write_u16(&w, 4);
		write_bytes(&w, next(8) == 0 ? "ext3" : "ext4", 4);
		put_some_path(&w);
		break;
	case FRAME_SET_CLOCK:
		write_u64(&w, next(2) == 0 ? (uint64_t)LIMIT_CLOCK_FROM_MICROSECONDS + next(1000) : (uint64_t)next(~0U) << 22);
		break;
	case FRAME_ADD_ENTROPY:
		for (uint32_t i = next(3) == 0 ? next(600) : 32 + next(3); i > 0; i--)
			write_u8(&w, (uint8_t)next(256));
		break;
	case FRAME_PUT_FILE:
		write_u64(&w, next(2) == 0 ? next(1000) : (uint64_t)next(~0U) << 9);
		write_u16(&w, (uint16_t)next(8192));
		put_some_user(&w);
		put_some_path(&w);
		put_some_text(&w);
		break;
	case FRAME_GET_FILE:
		put_some_path(&w);
		put_some_text(&w);
		break;
	case FRAME_OFFER_SERVICES:
	case FRAME_MOUNT_NAMES:
		count = next(20);
		write_u16(&w, (uint16_t)(next(10) == 0 ? next(65536) : count));
		for (uint32_t i = 0; i < count; i++)
			put_some_text(&w);
		break;
	default:
		for (uint32_t i = next(40); i > 0; i--)
			write_u8(&w, (uint8_t)next(256));
	}
	return (size_t)(w.at - bytes);
}

int main(int argc, char **argv)
{
	static struct request request;
	if (argc != 3)
		return 2;
	state = strtoull(argv[1], NULL, 10) * 2654435761U + 88172645463325252U;
	unsigned long rounds = strtoul(argv[2], NULL, 10);
	unsigned long accepted = 0;
	for (unsigned long round = 0; round < rounds; round++) {
		static uint8_t frame[LIMIT_FRAME_BYTES];
		size_t size = make_frame(frame, sizeof frame);
		for (uint32_t flips = next(3); flips > 0 && next(2) == 0; flips--)
			frame[next((uint32_t)size)] = (uint8_t)next(256);
		if (next(8) == 0)
			size = next((uint32_t)size + 1);
		/* An exact allocation: reading one byte too far is caught. */
		uint8_t *exact = malloc(size == 0 ? 1 : size);
		memcpy(exact, frame, size);
		if (decode_request(exact, size, &request) == NULL)
			accepted++;
		free(exact);
	}
	printf("%lu\n", accepted);
	return accepted > 0 ? 0 : 1;
}
