#include "power.h"
#include "console.h"
#include "mounter.h"
#include "unmounter.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef SPECTRUM_TEST_BUILD

#include "command.h"

void power_off(enum power_off_reason reason)
{
	kill_all_commands();
	exit(reason);
}

#else

/* For the volumes, all together: whoever asks for no order waits for no disk for long. */
#define UNMOUNT_PATIENCE_MS 20000

/* Whoever a disk holds does not end. */
static int kill_patience_ms(void) { return mounters_hanging() > 0 ? 200 : 2000; }

/* Reaps until `is_done`, or until nobody is left where that is NULL. */
static void reap_until(bool (*is_done)(void), int patience_ms)
{
	int64_t began = now_ms();
	while (now_ms() - began < patience_ms && !(is_done != NULL && is_done())) {
		int status = 0;
		pid_t ended = waitpid(-1, &status, WNOHANG);
		if (ended < 0 && errno == ECHILD && is_done == NULL)
			break;
		if (ended > 0) {
			mounter_reaped(ended);
			unmounter_reaped(ended, WIFEXITED(status) && WEXITSTATUS(status) == 0);
		} else {
			usleep(1000);
		}
		unmounter_step(now_ms());
	}
}

static void unmount_all(void)
{
	unmounter_begin();
	unmounter_step(now_ms());
	reap_until(unmounter_is_done, UNMOUNT_PATIENCE_MS);
	unmounter_give_up();
	write_back_begin();
	reap_until(write_back_is_done, UNMOUNT_PATIENCE_MS);
	write_back_give_up();
}

void power_off(enum power_off_reason reason)
{
	(void)reason;
	mounter_give_up();
	/* An end in order has done it already, and may be unmounting. */
	if (!unmounter_has_begun()) {
		kill(-1, SIGKILL);
		reap_until(NULL, kill_patience_ms());
	}
	unmount_all();
	reboot(RB_POWER_OFF);
	/* A machine without power control: stop here rather than panic. */
	for (;;)
		pause();
}

#endif
