/* The host's frames as values. Decoding is a pure function of the bytes: the fuzzer drives it alone. */
#ifndef SPECTRUM_REQUEST_H
#define SPECTRUM_REQUEST_H

#include "protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_ID_BYTES 64

struct request {
	uint8_t type;
	/* Of the command, the request or the stream, as the type says. */
	uint32_t id;
	union {
		uint16_t version;
		struct {
			bool stdin_open;
			uint32_t credit[2];
			/* Of its terminal; 0 and 0: it has none. */
			uint16_t rows;
			uint16_t columns;
			/* USER_OWN and USER_OWN: as the agent. */
			uint32_t uid;
			uint32_t gid;
			char *cwd;
			/* NULL-terminated, into `text`. */
			char **argv;
			char **env;
		} exec;
		struct {
			uint64_t offset;
			const uint8_t *bytes;
			size_t size;
		} chunk;
		struct {
			uint8_t stream;
			uint32_t credit;
		} output_credit;
		struct {
			uint32_t command;
			uint8_t signal;
		} signal;
		struct {
			uint32_t command;
			uint16_t rows;
			uint16_t columns;
		} resize;
		/* Of a hang-up. */
		uint32_t command;
		uint32_t nonce;
		struct {
			uint32_t deadline_ms;
			const char *image;
			uint16_t device_count;
			/* device_count ids of DEVICE_ID_BYTES each, without NUL. */
			const char *devices;
			uint32_t name_count;
		} mount;
		struct {
			uint32_t deadline_ms;
			const char *tag;
			uint32_t name_count;
		} mount_view;
		struct {
			uint32_t name_count;
		} unbind;
		/* Of a mount, or of services. */
		struct {
			uint32_t count;
			char **list;
		} names;
		struct {
			const char *path;
		} connect;
		struct {
			uint32_t deadline_ms;
			bool read_only;
			const char *serial;
			const char *file_system;
			const char *path;
		} volume;
		uint64_t microseconds;
		struct {
			const uint8_t *bytes;
			size_t size;
		} entropy;
		struct {
			uint32_t grace_ms;
			uint32_t deadline_ms;
		} shut_down;
		struct {
			/* Of a file that is put. */
			uint64_t size;
			uint16_t mode;
			uint32_t uid;
			uint32_t gid;
			const char *below;
			const char *path;
		} file;
		uint32_t credit;
	};
	/* Room for every NUL-terminated text of one frame, and for pointers to them. */
	char text[LIMIT_FRAME_BYTES * 2];
	size_t text_used;
	char *pointers[LIMIT_MOUNT_NAMES + 2];
	size_t pointers_used;
};

/*
 * Decodes the body of a frame (type byte and what follows it). Returns NULL, or what is wrong with it.
 * Byte pointers in the request point into `body`.
 */
const char *decode_request(const uint8_t *body, size_t size, struct request *out);

#endif
