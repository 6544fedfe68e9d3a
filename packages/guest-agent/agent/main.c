/* PID 1 of a unit: gets the machine ready, then serves the control channel until its end. */
#include "boot.h"
#include "cgroup.h"
#include "channel.h"
#include "command.h"
#include "console.h"
#include "file.h"
#include "listing.h"
#include "mounter.h"
#include "port.h"
#include "power.h"
#include "service.h"
#include "session.h"
#include "shutdown.h"
#include "store.h"
#include "stream.h"
#include "unmounter.h"
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int signals = -1;
static int device_events = -1;

static void watch_signals(void)
{
	sigset_t watched;
	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGPWR);
	if (sigprocmask(SIG_BLOCK, &watched, NULL) < 0)
		give_up("sigprocmask: %s", strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		give_up("signalfd: %s", strerror(errno));
}

/* Every process without a parent ends up here; those that are commands are reported. */
static void reap(void)
{
	for (;;) {
		siginfo_t ended = {0};
		if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG) < 0 || ended.si_pid == 0)
			return;
		file_reaped(ended.si_pid);
		mounter_reaped(ended.si_pid);
		unmounter_reaped(ended.si_pid, ended.si_code == CLD_EXITED && ended.si_status == 0);
		command_reaped(ended.si_pid, ended.si_code, ended.si_status);
	}
}

static void heed_signals(void)
{
	struct signalfd_siginfo info;
	bool asked_to_end = false;
	while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
		asked_to_end = asked_to_end || info.ssi_signo != SIGCHLD;
	reap();
	if (asked_to_end)
		power_off(POWER_OFF_ASKED);
}

static int sooner(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static void wait_for_something(struct pollfd *set)
{
	size_t count = 0;
	set[count++] = (struct pollfd){.fd = channel_fd(), .events = channel_events()};
	set[count++] = (struct pollfd){.fd = signals, .events = POLLIN};
	set[count++] = (struct pollfd){.fd = device_events, .events = POLLIN};
	set[count++] = (struct pollfd){.fd = service_fd(), .events = POLLIN};
	set[count++] = (struct pollfd){.fd = volume_fd(), .events = POLLIN};
	count = commands_poll(set, count);
	count = streams_poll(set, count);
	int64_t now = now_ms();
	int timeout = sooner(listing_timeout(), sooner(commands_timeout(now), store_timeout(now)));
	timeout = sooner(timeout, sooner(volume_timeout(now), shutdown_timeout(now)));
	if (poll(set, count, timeout) < 0 && errno != EINTR)
		give_up("poll: %s", strerror(errno));
}

__attribute__((noreturn)) static void serve(void)
{
	static struct pollfd set[COMMANDS_MAX_FDS + STREAMS_MAX_FDS + 5];
	for (;;) {
		if (!channel_flush())
			break;
		wait_for_something(set);
		if ((set[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !channel_receive())
			break;
		if ((set[2].revents & POLLIN) != 0)
			drain_device_events(device_events);
		session_serve();
		if ((set[1].revents & POLLIN) != 0)
			heed_signals();
		if ((set[3].revents & POLLIN) != 0)
			service_step();
		commands_step();
		streams_step();
		store_step(now_ms());
		volume_step(now_ms());
		listing_step();
		shutdown_step(now_ms());
	}
	say("the host has closed the control channel: powering off");
	power_off(POWER_OFF_ASKED);
}

#ifdef SPECTRUM_TEST_BUILD

/* An ordinary process that serves an inherited descriptor, and has its services in a directory of the test's. */
int main(int argc, char **argv)
{
	if (argc != 4 || strcmp(argv[1], "--serve-fd") != 0)
		return 2;
	service_directory(argv[3]);
	int fd = atoi(argv[2]);
	watch_signals();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* The descriptor may be shared with the test; commands must not inherit it. */
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	channel_open(fd);
	session_hello();
	serve();
}

#else

int main(void)
{
	if (getpid() != 1)
		return 2;
	boot_mounts();
	watch_signals();
	reboot(RB_DISABLE_CAD);
	device_events = open_device_events();
	boot_channel_modules();
	cgroup_open();
	store_open();
	service_directory("/run/spectrum/services");
	channel_open(open_control_port(device_events));
	session_hello();
	/* The host gets its answer while the store's devices are still probed. What does not fit goes out later. */
	if (channel_flush()) {
		boot_store_modules();
		boot_seal();
	}
	serve();
}

#endif
