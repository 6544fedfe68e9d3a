#include "power.h"
#include "console.h"
#include "mounter.h"
#include "volume.h"

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

/* Whoever a disk holds does not end. */
static int kill_patience_ms(void) { return mounters_hanging() > 0 ? 200 : 2000; }

void power_off(enum power_off_reason reason)
{
	(void)reason;
	mounter_give_up();
	kill(-1, SIGKILL);
	int64_t began = now_ms();
	while (now_ms() - began < kill_patience_ms()) {
		pid_t ended = waitpid(-1, NULL, WNOHANG);
		if (ended < 0 && errno == ECHILD)
			break;
		if (ended > 0)
			mounter_reaped(ended);
		else
			usleep(1000);
	}
	volumes_unmount();
	/* It would wait for a disk that hangs, too. What is unmounted is written. */
	if (mounters_hanging() == 0)
		sync();
	reboot(RB_POWER_OFF);
	/* A machine without power control: stop here rather than panic. */
	for (;;)
		pause();
}

#endif
