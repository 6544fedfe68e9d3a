#include "port.h"
#include "boot.h"
#include "console.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"
#define PATIENCE_MS 30000
#define RETRY_MS 20

static bool is_named_control(const char *port)
{
	char path[320];
	char name[32] = "";
	snprintf(path, sizeof path, PORTS "/%s/name", port);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t got = read(fd, name, sizeof name - 1);
	close(fd);
	return got > 0 && strcmp(name, "control\n") == 0;
}

static int open_port(void)
{
	int fd = -1;
	DIR *ports = opendir(PORTS);
	const struct dirent *entry;
	while (ports != NULL && fd < 0 && (entry = readdir(ports)) != NULL) {
		char path[320];
		if (entry->d_name[0] == '.' || !is_named_control(entry->d_name))
			continue;
		snprintf(path, sizeof path, "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (ports != NULL)
		closedir(ports);
	return fd;
}

/* Until the host's end is connected the port drops what is written and says POLLHUP. */
static bool host_is_there(int fd)
{
	struct pollfd port = {.fd = fd, .events = POLLOUT};
	return poll(&port, 1, 0) == 1 && (port.revents & POLLHUP) == 0 && (port.revents & POLLOUT) != 0;
}

int open_control_port(int events)
{
	int64_t deadline = now_ms() + PATIENCE_MS;
	int fd = -1;
	while (now_ms() < deadline) {
		if (fd < 0)
			fd = open_port();
		if (fd >= 0 && host_is_there(fd))
			return fd;
		struct pollfd wake = {.fd = events, .events = POLLIN};
		poll(&wake, 1, RETRY_MS);
		if (events >= 0)
			drain_device_events(events);
	}
	give_up(fd < 0 ? "there is no virtio-console port named \"control\"" : "nobody holds the host's end of the control port");
}
