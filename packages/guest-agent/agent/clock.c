#include "clock.h"
#include "answer.h"
#include "channel.h"

#include <errno.h>
#include <time.h>

#define MICROSECONDS 1000000

#ifdef SPECTRUM_TEST_BUILD

/* An ordinary process has a clock of its own, so that a test never moves the machine's. */
static int64_t ahead;

static bool read_clock(uint64_t *microseconds)
{
	struct timespec now;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return false;
	*microseconds = (uint64_t)(now.tv_sec * (int64_t)MICROSECONDS + now.tv_nsec / 1000 + ahead);
	return true;
}

static bool set_clock(uint64_t microseconds)
{
	uint64_t now = 0;
	if (!read_clock(&now))
		return false;
	ahead += (int64_t)microseconds - (int64_t)now;
	return true;
}

#else

static bool read_clock(uint64_t *microseconds)
{
	struct timespec now;
	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return false;
	/* Before 1970 it says 1970: the step is only told. */
	*microseconds = now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec * MICROSECONDS + (uint64_t)now.tv_nsec / 1000;
	return true;
}

static bool set_clock(uint64_t microseconds)
{
	struct timespec to = {.tv_sec = (time_t)(microseconds / MICROSECONDS),
	                      .tv_nsec = (long)(microseconds % MICROSECONDS) * 1000};
	return clock_settime(CLOCK_REALTIME, &to) == 0;
}

#endif

const char *clock_set(const struct request *request)
{
	uint64_t before = 0;
	if (!read_clock(&before) || !set_clock(request->microseconds)) {
		answer_refusal(request->id, errno, "the clock cannot be set");
		return NULL;
	}
	struct writer w = channel_begin(FRAME_CLOCK_SET);
	write_u32(&w, request->id);
	write_u64(&w, before);
	channel_end(&w);
	return NULL;
}
