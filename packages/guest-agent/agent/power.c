#include "power.h"
#include "console.h"
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

static const int kill_patience_ms = 2000;

void power_off(enum power_off_reason reason)
{
	(void)reason;
	kill(-1, SIGKILL);
	int64_t deadline = now_ms() + kill_patience_ms;
	while (now_ms() < deadline) {
		pid_t ended = waitpid(-1, NULL, WNOHANG);
		if (ended < 0 && errno == ECHILD)
			break;
		if (ended == 0)
			usleep(1000);
	}
	volumes_unmount();
	sync();
	reboot(RB_POWER_OFF);
	/* A machine without power control: stop here rather than panic. */
	for (;;)
		pause();
}

#endif
