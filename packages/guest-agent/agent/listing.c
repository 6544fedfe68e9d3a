#include "listing.h"
#include "answer.h"
#include "channel.h"
#include "protocol.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* 128 names of at most 255 bytes are well below one frame. */
#define NAMES_PER_FRAME 128

static DIR *listing;
static uint32_t id;
static uint32_t sent;

static void fail(int error) { answer_refusal(id, error, "/nix/store cannot be listed"); }

static void end(void)
{
	closedir(listing);
	listing = NULL;
}

const char *listing_begin(uint32_t request)
{
	if (listing != NULL)
		return "list-store: while another is under way";
	id = request;
	sent = 0;
	listing = opendir("/nix/store");
	if (listing == NULL)
		fail(errno);
	return NULL;
}

void listing_step(void)
{
	static char names[NAMES_PER_FRAME][LIMIT_LISTED_NAME_BYTES + 1];
	uint16_t count = 0;
	const struct dirent *entry = NULL;
	if (listing == NULL || !channel_takes_output())
		return;
	errno = 0;
	while (count < NAMES_PER_FRAME && (entry = readdir(listing)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(names[count++], sizeof names[0], "%s", entry->d_name);
	}
	sent += count;
	if ((entry == NULL && errno != 0) || sent > LIMIT_LISTED_NAMES) {
		fail(errno != 0 ? errno : E2BIG);
		end();
		return;
	}
	struct writer w = channel_begin(FRAME_STORE_NAMES);
	write_u32(&w, id);
	write_u8(&w, entry == NULL);
	write_u16(&w, count);
	for (uint16_t i = 0; i < count; i++)
		write_text(&w, names[i], LIMIT_LISTED_NAME_BYTES);
	channel_end(&w);
	if (entry == NULL)
		end();
}

int listing_timeout(void) { return listing != NULL && channel_takes_output() ? 0 : -1; }
