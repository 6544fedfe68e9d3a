#include "shutdown.h"
#include "channel.h"
#include "command.h"
#include "console.h"
#include "mounter.h"
#include "power.h"
#include "processes.h"
#include "stream.h"
#include "volume.h"

#include <signal.h>
#include <unistd.h>

#define KILL_PATIENCE_MS 2000
#define STEP_WORDS_MS 100
#define LAST_WORDS_MS 1000

static enum { IDLE = 0, ASKED, KILLED } phase;
static uint32_t id;
static uint32_t asked;
static int64_t deadline;

/* `long_next`: what comes next may take long, and the host wants to know how far it came. */
static void report(uint8_t step, uint32_t count, uint32_t left, bool long_next)
{
	struct writer w = channel_begin(FRAME_SHUTDOWN_STEP);
	write_u32(&w, id);
	write_u8(&w, step);
	write_u32(&w, count);
	write_u32(&w, left);
	channel_end(&w);
	if (long_next)
		channel_drain(STEP_WORDS_MS);
}

/* Those that a disk holds end with the power. */
static uint32_t count_others(void)
{
	uint32_t all = processes_count();
	uint32_t held = mounters_hanging();
	return all > held ? all - held : 0;
}

const char *shutdown_begin(const struct request *request)
{
	if (phase != IDLE)
		return "shut-down: a second time";
	phase = ASKED;
	id = request->id;
	deadline = now_ms() + request->grace_ms;
	/* What is being mounted is not wanted any more. */
	volumes_give_up();
	asked = count_others();
	refuse_new_commands();
	/* A file that is half there is given up by itself. */
	stream_hang_up_files();
	processes_signal(SIGTERM);
	processes_signal(SIGCONT);
	ask_all_commands_to_end();
	return NULL;
}

static bool all_is_over(void)
{
	return count_commands() == 0 && (processes_are_gone() || (mounters_hanging() > 0 && count_others() == 0));
}

__attribute__((noreturn)) static void end(void)
{
	uint32_t volumes = volumes_count();
	report(SHUTDOWN_STEP_UNMOUNTED, volumes, volumes_unmount(), volumes > 0);
#ifndef SPECTRUM_TEST_BUILD
	/* It would wait for a disk that hangs. What is unmounted is written. */
	if (mounters_hanging() == 0)
		sync();
#endif
	report(SHUTDOWN_STEP_SYNCED, 0, 0, false);
	struct writer w = channel_begin(FRAME_POWERING_OFF);
	write_u32(&w, id);
	channel_end(&w);
	channel_drain(LAST_WORDS_MS);
	power_off(POWER_OFF_ASKED);
}

void shutdown_step(int64_t now)
{
	if (phase == IDLE || (!all_is_over() && now < deadline))
		return;
	uint32_t left = count_others();
	if (phase == ASKED) {
		report(SHUTDOWN_STEP_ASKED, asked, left, left > 0);
		processes_signal(SIGKILL);
		kill_all_commands();
		phase = KILLED;
		deadline = now + KILL_PATIENCE_MS;
		asked = left;
	} else {
		report(SHUTDOWN_STEP_KILLED, asked, left, volumes_count() > 0);
		end();
	}
}

int shutdown_timeout(int64_t now)
{
	if (phase == IDLE)
		return -1;
	return all_is_over() || now >= deadline ? 0 : (int)(deadline - now);
}
