/*
 * forward LISTEN UPSTREAM: passes bytes on between each client and a connection to UPSTREAM, one wake-up and two
 * system calls each way, and does nothing else. No proxy of one thread can be faster than this.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 1024, READY = 16 };

static int peers[MOST_DESCRIPTORS];
static char bytes[64 * 1024];

static struct sockaddr_un address(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  return address;
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) _exit(1);
}

static void welcome(int epoll, int listener, const char *path) {
  const int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  const int upstream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct sockaddr_un to = address(path);
  if (client < 0 || upstream < 0 || client >= MOST_DESCRIPTORS || upstream >= MOST_DESCRIPTORS ||
      connect(upstream, (const struct sockaddr *)&to, sizeof to) < 0)
    _exit(1);
  peers[client] = upstream;
  peers[upstream] = client;
  watch(epoll, client);
  watch(epoll, upstream);
}

static void forward(int from) {
  const int to = peers[from];
  const ssize_t count = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return;
  for (ssize_t sent = 0; sent < count;) {
    const ssize_t some = send(to, bytes + sent, (size_t)(count - sent), MSG_NOSIGNAL);
    if (some < 0) break;
    sent += some;
  }
  if (count > 0) return;
  close(from);
  shutdown(to, SHUT_RDWR);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct sockaddr_un at = address(argv[1]);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (listener < 0 || epoll < 0 || bind(listener, (const struct sockaddr *)&at, sizeof at) < 0 ||
      listen(listener, 64) < 0)
    return 1;
  watch(epoll, listener);
  for (;;) {
    struct epoll_event events[READY];
    const int count = epoll_wait(epoll, events, READY, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == listener) welcome(epoll, listener, argv[2]);
      else forward(events[i].data.fd);
    }
  }
}
