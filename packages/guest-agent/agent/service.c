#include "service.h"
#include "answer.h"
#include "channel.h"
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64
#define CALLS_PER_STEP 16

static struct service {
	char name[LIMIT_SERVICE_NAME_BYTES + 1];
	int fd;
} services[LIMIT_SERVICES];
static size_t service_count;
static int watch = -1;
static const char *directory;

void service_directory(const char *path) { directory = path; }

int service_fd(void) { return channel_takes_output() ? watch : -1; }

static bool address_of(const char *name, struct sockaddr_un *address)
{
	address->sun_family = AF_UNIX;
	int length = snprintf(address->sun_path, sizeof address->sun_path, "%s/%s", directory, name);
	return length > 0 && (size_t)length < sizeof address->sun_path;
}

static bool listen_at(struct service *service, const char *name)
{
	struct sockaddr_un address = {0};
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)service_count};
	if (!address_of(name, &address)) {
		errno = ENAMETOOLONG;
		return false;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	/* Whoever is in the unit may call: what it may reach is decided by the host, for the unit as a whole. */
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || chmod(address.sun_path, 0666) < 0 ||
	    listen(fd, BACKLOG) < 0 || epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return false;
	}
	snprintf(service->name, sizeof service->name, "%s", name);
	service->fd = fd;
	return true;
}

static void take_back(size_t count)
{
	struct sockaddr_un address = {0};
	while (service_count > count) {
		const struct service *last = &services[--service_count];
		if (address_of(last->name, &address))
			unlink(address.sun_path);
		close(last->fd);
	}
}

static void refuse(uint32_t id, const char *name, int error)
{
	answer_refusal(id, error, "cannot listen at %s/%s", directory, name);
}

static bool is_offered(const char *name)
{
	for (size_t i = 0; i < service_count; i++)
		if (strcmp(services[i].name, name) == 0)
			return true;
	return false;
}

const char *service_offer(const struct request *request)
{
	size_t before = service_count;
	if (request->names.count > LIMIT_SERVICES - before)
		return "offer-services: too many";
	if (watch < 0)
		watch = epoll_create1(EPOLL_CLOEXEC);
	if (watch < 0 || (mkdir(directory, 0755) < 0 && errno != EEXIST)) {
		refuse(request->id, "", errno);
		return NULL;
	}
	for (uint32_t i = 0; i < request->names.count; i++) {
		const char *name = request->names.list[i];
		if (is_offered(name))
			return "offer-services: a name twice";
		if (!listen_at(&services[service_count], name)) {
			refuse(request->id, name, errno);
			take_back(before);
			return NULL;
		}
		service_count++;
	}
	struct writer w = channel_begin(FRAME_OFFERED);
	write_u32(&w, request->id);
	channel_end(&w);
	return NULL;
}

void service_step(void)
{
	struct epoll_event ready[CALLS_PER_STEP];
	int count = epoll_wait(watch, ready, CALLS_PER_STEP, 0);
	for (int i = 0; i < count && channel_takes_output(); i++) {
		const struct service *service = &services[ready[i].data.u32];
		int fd = accept4(service->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			stream_called(fd, service->name);
	}
}
