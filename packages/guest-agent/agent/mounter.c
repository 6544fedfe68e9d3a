#include "mounter.h"
#include "console.h"
#include "context.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the process says; the mount comes with it. */
struct result {
	bool lacks;
	uint8_t kind;
	int error;
	char message[LIMIT_MESSAGE_BYTES];
};

static struct mount_wish wish;
static pid_t worker;
static int answers = -1;

#define KILL_PATIENCE_MS 1000

/* Given up, and not gone: SIGKILL waits for the disk as they do. */
static struct {
	pid_t pid;
	int64_t since;
	char serial[LIMIT_SERIAL_BYTES + 1];
} hanging[LIMIT_VOLUMES];

/* The volume as a mount that is nowhere yet, or -1. */
static int make_mount(struct trouble *why)
{
	char said[256];
	int context = fsopen(wish.file_system, FSOPEN_CLOEXEC);
	if (context < 0) {
		if (errno == ENODEV)
			trouble(why, FAILED_KERNEL_LACKS, ENODEV, wish.file_system,
			        "the guest kernel does not know %s: boot the unit with what volumes need", wish.file_system);
		else
			trouble(why, FAILED_REFUSED, errno, "", "fsopen: %s", strerror(errno));
		return -1;
	}
	int mounted = -1;
	/* A file system that finds itself damaged must not go on writing, nor bring the unit down. */
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", wish.device, 0) == 0 &&
	    fsconfig(context, FSCONFIG_SET_STRING, "errors", "remount-ro", 0) == 0 &&
	    (!wish.read_only || fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0) &&
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mounted = fsmount(context, FSMOUNT_CLOEXEC,
		                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (wish.read_only ? MOUNT_ATTR_RDONLY : 0U));
	int error = errno;
	read_context_message(context, said, sizeof said);
	close(context);
	if (mounted < 0)
		trouble(why, FAILED_REFUSED, error, "", "the volume %s cannot be mounted as %s: %s %s", wish.serial,
		        wish.file_system, strerror(error), said);
	return mounted;
}

static void answer(int socket, int mounted, const struct trouble *why)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof mounted)];
	} control = {0};
	struct result result = {.lacks = why->kind == FAILED_KERNEL_LACKS, .kind = why->kind, .error = why->error};
	memcpy(result.message, why->message, sizeof result.message);
	struct iovec bytes = {.iov_base = &result, .iov_len = sizeof result};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
	if (mounted >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof control.room;
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof mounted);
		memcpy(CMSG_DATA(&control.header), &mounted, sizeof mounted);
	}
	ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
	(void)sent;
}

__attribute__((noreturn)) static void mount_alone(int socket)
{
	struct trouble why = {0};
	sigset_t none;
	/* The channel and commands' pipes would stay open for as long as the disk takes. */
	if (dup2(socket, 3) < 0 || close_range(4, UINT_MAX, 0) < 0)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	answer(3, make_mount(&why), &why);
	_exit(0);
}

bool mounter_begin(const struct mount_wish *wanted, struct trouble *why)
{
	int ends[2];
	if (mounters_hanging() == LIMIT_VOLUMES)
		return trouble(why, FAILED_REFUSED, EAGAIN, "", "too many disks of the unit do not answer");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return trouble(why, FAILED_REFUSED, errno, "", "socketpair: %s", strerror(errno));
	wish = *wanted;
	worker = fork();
	if (worker == 0)
		mount_alone(ends[1]);
	int error = errno;
	close(ends[1]);
	if (worker > 0) {
		answers = ends[0];
		return true;
	}
	worker = 0;
	close(ends[0]);
	return trouble(why, FAILED_REFUSED, error, "", "fork: %s", strerror(error));
}

int mounter_fd(void) { return answers; }

static void forget(void)
{
	close(answers);
	answers = -1;
	worker = 0;
}

static int take_mount(struct msghdr *message)
{
	int mounted = -1;
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	if (header != NULL && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof mounted))
		memcpy(&mounted, CMSG_DATA(header), sizeof mounted);
	return mounted;
}

enum mounter_state mounter_result(int *mounted, struct trouble *why)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof *mounted)];
	} control = {0};
	struct result result;
	struct iovec bytes = {.iov_base = &result, .iov_len = sizeof result};
	struct msghdr message = {
	    .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
	ssize_t got = recvmsg(answers, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return MOUNTER_WORKS;
	if (got == (ssize_t)sizeof result) {
		*mounted = take_mount(&message);
		if (*mounted < 0 && result.kind == 0)
			trouble(why, FAILED_REFUSED, EMFILE, "", "the mount of the volume %s cannot be taken over", wish.serial);
		else if (*mounted < 0)
			trouble(why, result.kind, result.error, result.lacks ? wish.file_system : "", "%s", result.message);
	} else {
		*mounted = -1;
		trouble(why, FAILED_REFUSED, EINTR, "", "the process that mounts the volume %s was ended", wish.serial);
	}
	forget();
	return *mounted < 0 ? MOUNTER_FAILED : MOUNTER_DONE;
}

void mounter_give_up(void)
{
	if (answers < 0)
		return;
	for (size_t i = 0; i < LIMIT_VOLUMES; i++)
		if (hanging[i].pid == 0) {
			hanging[i].pid = worker;
			hanging[i].since = now_ms();
			strcpy(hanging[i].serial, wish.serial);
			break;
		}
	kill(worker, SIGKILL);
	forget();
}

void mounter_reaped(pid_t pid)
{
	for (size_t i = 0; i < LIMIT_VOLUMES; i++)
		if (hanging[i].pid == pid)
			hanging[i].pid = 0;
}

uint32_t mounters_hanging(void)
{
	uint32_t count = 0;
	for (size_t i = 0; i < LIMIT_VOLUMES; i++)
		count += hanging[i].pid != 0;
	return count;
}

enum mounter_hold mounter_hold(const char *serial)
{
	for (size_t i = 0; i < LIMIT_VOLUMES; i++)
		if (hanging[i].pid != 0 && strcmp(hanging[i].serial, serial) == 0)
			return now_ms() - hanging[i].since < KILL_PATIENCE_MS ? HOLD_ENDS : HOLD_HANGS;
	return HOLD_NONE;
}
