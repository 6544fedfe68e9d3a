#include "unmounter.h"
#include "console.h"
#include "mounter.h"
#include "protocol.h"
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* One that takes longer does not hold up those behind it any more. */
#define TURN_MS 1000
/* What a program has mounted over a volume is unmounted first, as often as this. */
#define MOST_LAYERS 64

static struct {
	/* HANGS: it was given up, and its disk holds it. */
	enum { WAITS = 0, WORKS, UNMOUNTED, STAYS, HANGS } state;
	pid_t pid;
	int64_t since;
} jobs[LIMIT_VOLUMES];
static bool begun;
/* Volumes from here on have had their turn. */
static uint32_t first;
static uint32_t count;

static struct {
	bool begun;
	pid_t pid;
	bool done;
	bool well;
} write_back;

/* In the child: 0. It keeps the console alone: the channel would stay open for as long as the disk takes. */
static pid_t begin_worker(void)
{
	sigset_t none;
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	if (close_range(3, UINT_MAX, 0) < 0)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

static bool shows(const char *path, dev_t device)
{
	struct stat there;
	return stat(path, &there) == 0 && there.st_dev == device;
}

/* What a program has mounted over the volume goes with it; what was there before stays. */
static bool unmount_layers(const char *path, dev_t device)
{
	bool gone = false;
	for (int layers = 0; layers < MOST_LAYERS; layers++) {
		bool is_volume = shows(path, device);
		if (gone && !is_volume)
			return true;
		if (umount2(path, UMOUNT_NOFOLLOW) < 0)
			return false;
		gone = gone || is_volume;
	}
	errno = ELOOP;
	return false;
}

__attribute__((noreturn)) static void unmount_alone(const char *path, dev_t device)
{
	if (unmount_layers(path, device))
		_exit(0);
	say("the volume at %s stays mounted: %s", path, strerror(errno));
	/* Something is mounted within it, or uses it. What is written is written, and nothing is added where the kernel can. */
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0) {
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			syncfs(fd);
	}
	_exit(1);
}

void unmounter_begin(void)
{
	if (begun)
		return;
	begun = true;
	count = volumes_count();
	first = count;
}

bool unmounter_has_begun(void) { return begun; }

static void begin_next(int64_t now)
{
	const char *path = volume_path(--first);
	pid_t pid = begin_worker();
	if (pid == 0)
		unmount_alone(path, volume_device(first));
	if (pid < 0)
		say("the volume at %s stays mounted: fork: %s", path, strerror(errno));
	jobs[first].state = pid < 0 ? STAYS : WORKS;
	jobs[first].pid = pid;
	jobs[first].since = now;
}

/* The newest of them has its turn still. */
static bool is_busy(int64_t now)
{
	return first < count && jobs[first].state == WORKS && now - jobs[first].since < TURN_MS;
}

void unmounter_step(int64_t now)
{
	while (first > 0 && !is_busy(now))
		begin_next(now);
}

bool unmounter_is_done(void)
{
	for (uint32_t i = 0; i < count; i++)
		if (jobs[i].state == WAITS || jobs[i].state == WORKS)
			return false;
	return true;
}

int unmounter_timeout(int64_t now)
{
	if (first == 0)
		return -1;
	return is_busy(now) ? (int)(jobs[first].since + TURN_MS - now) : 0;
}

uint32_t unmounter_give_up(void)
{
	uint32_t mounted = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (jobs[i].state == WORKS) {
			say("the volume at %s stays mounted: its disk does not answer, or needs longer", volume_path(i));
			kill(jobs[i].pid, SIGKILL);
			jobs[i].state = HANGS;
		}
		if (jobs[i].state == WAITS)
			jobs[i].state = STAYS;
		mounted += jobs[i].state != UNMOUNTED;
	}
	first = 0;
	return mounted;
}

void unmounter_reaped(pid_t pid, bool well)
{
	if (pid == write_back.pid && pid > 0) {
		write_back.pid = 0;
		write_back.done = true;
		write_back.well = well;
	}
	for (uint32_t i = 0; i < count; i++)
		if ((jobs[i].state == WORKS || jobs[i].state == HANGS) && jobs[i].pid == pid)
			jobs[i].state = well && jobs[i].state == WORKS ? UNMOUNTED : STAYS;
}

uint32_t unmounters_hanging(void)
{
	uint32_t hanging = write_back.pid > 0;
	for (uint32_t i = 0; i < count; i++)
		hanging += jobs[i].state == WORKS || jobs[i].state == HANGS;
	return hanging;
}

void write_back_begin(void)
{
	if (write_back.begun)
		return;
	write_back.begun = true;
#ifdef SPECTRUM_TEST_BUILD
	/* An ordinary process has its machine's disks written back by nobody. */
	write_back.done = true;
	write_back.well = true;
#else
	/* It would wait for a disk that hangs. What is unmounted is written. */
	write_back.done = mounters_hanging() > 0 || unmounters_hanging() > 0;
	if (write_back.done)
		return;
	pid_t pid = begin_worker();
	if (pid == 0) {
		sync();
		_exit(0);
	}
	write_back.pid = pid;
	write_back.done = pid < 0;
#endif
}

bool write_back_is_done(void) { return write_back.done; }

bool write_back_give_up(void)
{
	write_back.done = true;
	return write_back.well;
}
