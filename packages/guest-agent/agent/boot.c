#include "boot.h"
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void mount_at(const char *type, const char *target, unsigned long flags, const char *options)
{
	if (mkdir(target, 0755) < 0 && errno != EEXIST)
		give_up("cannot make %s: %s", target, strerror(errno));
	/* The kernel may have mounted devtmpfs itself. */
	if (mount(type, target, type, flags, options) < 0 && errno != EBUSY)
		give_up("cannot mount %s at %s: %s", type, target, strerror(errno));
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/kmsg", O_WRONLY);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	for (int standard = 0; fd >= 0 && standard < 3; standard++)
		if (fd != standard)
			dup2(fd, standard);
	if (fd > 2)
		close(fd);
}

void boot_mounts(void)
{
	umask(022);
	mount_at("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
	open_console();
	/* New mounts below a shared one are shared: what is bound later is seen in namespaces made earlier. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		say("cannot make / shared: %s", strerror(errno));
	mount_at("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_at("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
	mount_at("tmpfs", "/home", MS_NOSUID | MS_NODEV, "mode=0755");
	mount_at("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666");
	static const char *const links[][2] = {{"/proc/self/fd", "/dev/fd"},
	                                       {"/proc/self/fd/0", "/dev/stdin"},
	                                       {"/proc/self/fd/1", "/dev/stdout"},
	                                       {"/proc/self/fd/2", "/dev/stderr"}};
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			say("cannot link %s: %s", links[i][1], strerror(errno));
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		give_up("the module %s is not in the initramfs: %s", path, strerror(errno));
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		give_up("the kernel does not load %s: %s (is it from this very kernel?)", path, strerror(errno));
	close(fd);
}

static FILE *module_list;

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);
	return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* Loads what is left of the list, in its order, up to the module with this file name or to the end. */
static void load_modules_until(const char *last)
{
	char path[256];
	while (module_list != NULL && fgets(path, sizeof path, module_list) != NULL) {
		path[strcspn(path, "\n")] = '\0';
		load_module(path);
		unlink(path);
		if (last != NULL && ends_with(path, last))
			return;
	}
}

void boot_channel_modules(void)
{
	module_list = fopen("/modules/load", "re");
	load_modules_until("-virtio_console.ko");
}

void boot_store_modules(void)
{
	load_modules_until(NULL);
	if (module_list == NULL)
		return;
	fclose(module_list);
	module_list = NULL;
	unlink("/modules/load");
	rmdir("/modules");
}

void boot_unseal(void)
{
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) < 0)
		say("/ stays read-only: %s", strerror(errno));
}

void boot_seal(void)
{
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		say("/ stays writable: %s", strerror(errno));
}

int open_device_events(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void drain_device_events(int fd)
{
	char event[4096];
	while (recv(fd, event, sizeof event, 0) >= 0 || errno == ENOBUFS)
		continue;
}
