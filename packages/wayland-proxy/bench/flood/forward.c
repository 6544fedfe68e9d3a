/*
 * forward LISTEN UPSTREAM: passes bytes and descriptors on between each client and a connection to UPSTREAM, one wake-up
 * and two system calls each way, and looks at nothing. What a proxy costs above this, it costs by itself; what this
 * costs above a direct connection is the price of a process in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST_ENDS = 1024, READY = 16, ROOM = 64 * 1024, MOST_PASSED = 28 };

/* A socket, and what came from it and was not taken by its peer yet: only when that is nothing, more is read. */
struct end {
  int peer;
  bool stuck;
  size_t start, length;
  int passed[MOST_PASSED];
  int passed_count;
  char bytes[ROOM];
};

static struct end ends[MOST_ENDS];
static int epoll;

static struct sockaddr_un address(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  return address;
}

static void watch(int fd, int change) {
  const struct end *end = &ends[fd];
  const bool read = !end->stuck, write = end->peer > 0 && ends[end->peer].stuck;
  struct epoll_event event = {.events = (read ? EPOLLIN : 0) | (write ? EPOLLOUT : 0), .data.fd = fd};
  if (epoll_ctl(epoll, change, fd, &event) < 0) _exit(1);
}

static void welcome(int listener, const char *path) {
  const int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  const int upstream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct sockaddr_un to = address(path);
  if (client < 0 || upstream < 0 || client >= MOST_ENDS || upstream >= MOST_ENDS ||
      connect(upstream, (const struct sockaddr *)&to, sizeof to) < 0)
    _exit(1);
  ends[client].peer = upstream;
  ends[upstream].peer = client;
  watch(client, EPOLL_CTL_ADD);
  watch(upstream, EPOLL_CTL_ADD);
}

static void part(int fd) {
  const int peer = ends[fd].peer;
  for (int i = 0; i < 2; i++) {
    struct end *end = &ends[i == 0 ? fd : peer];
    for (int j = 0; j < end->passed_count; j++) close(end->passed[j]);
    end->peer = 0;
    end->stuck = false;
    end->length = 0;
    end->passed_count = 0;
  }
  close(fd);
  close(peer);
}

union control {
  struct cmsghdr header; /* for its alignment */
  char bytes[CMSG_SPACE(MOST_PASSED * sizeof(int))];
};

/* How many bytes came: 0 at the end, -1 with errno. */
static ssize_t take(int fd) {
  struct end *end = &ends[fd];
  union control control;
  struct iovec data = {.iov_base = end->bytes, .iov_len = ROOM};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  const ssize_t count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count <= 0) return count;
  const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
    end->passed_count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(end->passed, CMSG_DATA(header), (size_t)end->passed_count * sizeof(int));
  }
  end->start = 0;
  end->length = (size_t)count;
  return count;
}

static ssize_t give(int fd) {
  struct end *end = &ends[fd];
  union control control = {0};
  struct iovec data = {.iov_base = end->bytes + end->start, .iov_len = end->length};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  if (end->passed_count > 0) {
    const size_t size = (size_t)end->passed_count * sizeof(int);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), end->passed, size);
  }
  const ssize_t count = sendmsg(end->peer, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0) return count;
  end->start += (size_t)count;
  end->length -= (size_t)count;
  for (int i = 0; i < end->passed_count; i++) close(end->passed[i]);
  end->passed_count = 0;
  return count;
}

/* From one end to its peer, as far as that takes it. */
static void forward(int fd) {
  struct end *end = &ends[fd];
  if (end->peer == 0) return;
  if (end->length == 0) {
    const ssize_t count = take(fd);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      part(fd);
      return;
    }
  }
  bool stuck = false;
  while (end->length > 0 && !stuck) {
    if (give(fd) >= 0) continue;
    if (errno != EAGAIN) {
      part(fd);
      return;
    }
    stuck = true;
  }
  if (stuck == end->stuck) return;
  end->stuck = stuck;
  watch(fd, EPOLL_CTL_MOD);
  watch(end->peer, EPOLL_CTL_MOD);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct sockaddr_un at = address(argv[1]);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (listener < 0 || epoll < 0 || bind(listener, (const struct sockaddr *)&at, sizeof at) < 0 ||
      listen(listener, 64) < 0)
    return 1;
  watch(listener, EPOLL_CTL_ADD);
  for (;;) {
    struct epoll_event events[READY];
    const int count = epoll_wait(epoll, events, READY, -1);
    for (int i = 0; i < count; i++) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        welcome(listener, argv[2]);
        continue;
      }
      if ((events[i].events & EPOLLOUT) && ends[fd].peer > 0) forward(ends[fd].peer);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) forward(fd);
    }
  }
}
