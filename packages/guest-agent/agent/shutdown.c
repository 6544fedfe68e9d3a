#include "shutdown.h"
#include "channel.h"
#include "command.h"
#include "console.h"
#include "mounter.h"
#include "power.h"
#include "processes.h"
#include "stream.h"
#include "unmounter.h"
#include "volume.h"

#include <signal.h>
#include <unistd.h>

#define KILL_PATIENCE_MS 2000
/* A volume has so much time even where everything before it took too long. */
#define LEAST_MS 500
#define LAST_WORDS_MS 1000

static enum { IDLE = 0, ASKED, KILLED, UNMOUNTING, WRITING_BACK } phase;
static uint32_t id;
static uint32_t asked;
/* Of the phase, and of all. */
static int64_t deadline;
static int64_t whole_deadline;

static void report(uint8_t step, uint32_t count, uint32_t left)
{
	struct writer w = channel_begin(FRAME_SHUTDOWN_STEP);
	write_u32(&w, id);
	write_u8(&w, step);
	write_u32(&w, count);
	write_u32(&w, left);
	channel_end(&w);
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
	deadline = now_ms() + request->shut_down.grace_ms;
	whole_deadline = now_ms() + request->shut_down.deadline_ms;
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

static bool nobody_is_left(void)
{
	return count_commands() == 0 && (processes_are_gone() || (mounters_hanging() > 0 && count_others() == 0));
}

static bool is_done(void)
{
	if (phase == UNMOUNTING)
		return unmounter_is_done();
	return phase == WRITING_BACK ? write_back_is_done() : nobody_is_left();
}

__attribute__((noreturn)) static void end(void)
{
	struct writer w = channel_begin(FRAME_POWERING_OFF);
	write_u32(&w, id);
	channel_end(&w);
	channel_drain(LAST_WORDS_MS);
	power_off(POWER_OFF_ASKED);
}

/* What comes after the programs has until the end of all, and a moment at least. */
static void enter(int64_t now, int next)
{
	phase = next;
	deadline = whole_deadline > now + LEAST_MS ? whole_deadline : now + LEAST_MS;
}

static void next_phase(int64_t now)
{
	uint32_t left;
	switch (phase) {
	case ASKED:
		left = count_others();
		report(SHUTDOWN_STEP_ASKED, asked, left);
		processes_signal(SIGKILL);
		kill_all_commands();
		phase = KILLED;
		deadline = now + KILL_PATIENCE_MS;
		asked = left;
		break;
	case KILLED:
		report(SHUTDOWN_STEP_KILLED, asked, count_others());
		unmounter_begin();
		enter(now, UNMOUNTING);
		break;
	case UNMOUNTING:
		report(SHUTDOWN_STEP_UNMOUNTED, volumes_count(), unmounter_give_up());
		write_back_begin();
		enter(now, WRITING_BACK);
		break;
	default:
		report(SHUTDOWN_STEP_SYNCED, 0, write_back_give_up() ? 0 : 1);
		end();
	}
}

void shutdown_step(int64_t now)
{
	if (phase == UNMOUNTING)
		unmounter_step(now);
	if (phase != IDLE && (is_done() || now >= deadline))
		next_phase(now);
}

int shutdown_timeout(int64_t now)
{
	if (phase == IDLE)
		return -1;
	if (is_done() || now >= deadline)
		return 0;
	int patience = (int)(deadline - now);
	int turn = phase == UNMOUNTING ? unmounter_timeout(now) : -1;
	return turn >= 0 && turn < patience ? turn : patience;
}
