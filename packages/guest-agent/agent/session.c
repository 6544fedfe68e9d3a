#include "session.h"
#include "channel.h"
#include "clock.h"
#include "command.h"
#include "console.h"
#include "entropy.h"
#include "listing.h"
#include "power.h"
#include "service.h"
#include "shutdown.h"
#include "store.h"
#include "stream.h"
#include "volume.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LAST_WORDS_MS 1000

static bool welcomed;

static void read_boot_id(char text[37])
{
	memset(text, '0', 36);
	text[36] = '\0';
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t got = read(fd, text, 36);
	(void)got;
	close(fd);
}

void session_hello(void)
{
	char boot_id[37];
	struct utsname system;
	read_boot_id(boot_id);
	if (uname(&system) < 0)
		memset(&system, 0, sizeof system);
	struct writer w = channel_begin(FRAME_HELLO);
	write_u16(&w, PROTOCOL_VERSION_MIN);
	write_u16(&w, PROTOCOL_VERSION_MAX);
	write_text(&w, boot_id, 36);
	write_text(&w, system.release, 64);
	write_text(&w, system.machine, 64);
	channel_end(&w);
}

__attribute__((noreturn)) static void obey_power_off(uint32_t id)
{
	struct writer w = channel_begin(FRAME_POWERING_OFF);
	write_u32(&w, id);
	channel_end(&w);
	channel_drain(LAST_WORDS_MS);
	power_off(POWER_OFF_ASKED);
}

static const char *answer_ping(uint32_t nonce)
{
	struct writer w = channel_begin(FRAME_PONG);
	write_u32(&w, nonce);
	channel_end(&w);
	return NULL;
}

static const char *serve_welcome(const struct request *request)
{
	if (welcomed)
		return "welcome: a second time";
	if (request->version < PROTOCOL_VERSION_MIN || request->version > PROTOCOL_VERSION_MAX)
		return "welcome: a version that was not offered";
	welcomed = true;
	return NULL;
}

static const char *serve(const struct request *request)
{
	if (request->type == FRAME_WELCOME)
		return serve_welcome(request);
	if (!welcomed)
		return "a request before the version was settled";
	switch (request->type) {
	case FRAME_EXEC:
		return command_exec(request);
	case FRAME_STDIN:
		return command_stdin(request);
	case FRAME_STDIN_END:
		return command_stdin_end(request);
	case FRAME_OUTPUT_CREDIT:
		return command_credit(request);
	case FRAME_SIGNAL:
		return command_signal(request);
	case FRAME_KILL:
		return command_kill(request->id);
	case FRAME_RESIZE:
		return command_resize(request);
	case FRAME_HANG_UP:
		return command_hang_up(request);
	case FRAME_PING:
		return answer_ping(request->id);
	case FRAME_MOUNT:
		return store_mount(request);
	case FRAME_MOUNT_VIEW:
		return store_mount_view(request);
	case FRAME_UNBIND:
		return store_unbind(request);
	case FRAME_MOUNT_NAMES:
		return store_names(request);
	case FRAME_MOUNT_CANCEL:
		volume_cancel(request->id);
		return store_cancel(request->id);
	case FRAME_MOUNT_VOLUME:
		return volume_mount(request);
	case FRAME_SET_CLOCK:
		return clock_set(request);
	case FRAME_ADD_ENTROPY:
		return entropy_add(request);
	case FRAME_SHUT_DOWN:
		return shutdown_begin(request);
	case FRAME_LIST_STORE:
		return listing_begin(request->id);
	case FRAME_OFFER_SERVICES:
		return service_offer(request);
	case FRAME_CONNECT:
		return stream_connect(request);
	case FRAME_PUT_FILE:
	case FRAME_GET_FILE:
		return stream_file(request);
	case FRAME_SEND:
		return stream_send(request);
	case FRAME_SEND_END:
		return stream_send_end(request);
	case FRAME_RECEIVE_CREDIT:
		return stream_receive_credit(request);
	case FRAME_RECEIVE_STOP:
		return stream_receive_stop(request->id);
	case FRAME_RESET:
		return stream_reset(request->id);
	case FRAME_POWER_OFF:
		obey_power_off(request->id);
	default:
		return "unknown frame type";
	}
}

void session_serve(void)
{
	static struct request request;
	const uint8_t *body;
	size_t size;
	while (channel_next(&body, &size)) {
		const char *wrong = decode_request(body, size, &request);
		if (wrong == NULL)
			wrong = serve(&request);
		if (wrong != NULL)
			give_up("the host broke the protocol: %s", wrong);
	}
}
