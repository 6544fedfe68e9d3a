/*
 * The peer of the measurement: two processes that exchange messages over a SOCK_SEQPACKET pair as plain C does it.
 *
 *   pair STYLE DESCRIPTORS MESSAGES WINDOW BYTES   →   nanoseconds for all messages, there and back
 *
 * STYLE `blocking`: nothing but sendmsg and recvmsg, the least that any program can do, and one that can do
 * nothing else meanwhile: one thread a process, which sleeps in recvmsg whenever nothing is there. `epoll`: waits
 * in epoll_wait, as a program with an event loop has to, then receives until the socket is empty.
 *
 * It is the same work as ours: the same kind of socket, the same bytes and descriptors, the same window, the same
 * room for a message, one sendmsg each, and the echo closes what it received once it is sent back. Two things differ.
 * We receive many messages in one call (recvmmsg), which a C program could do as well; and its processes are new in
 * each round (a tenth of the messages more goes unmeasured first), while ours have run since the start.
 *
 * The client keeps WINDOW messages on their way. Each carries DESCRIPTORS descriptors; the echo receives them,
 * sends them back and closes its own, and the client closes what comes back.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

enum { MOST_DESCRIPTORS = 253, MOST_BYTES = 65536 };

static char bytes[MOST_BYTES];
static union {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
} control;

static int epoll = -1;

static void die(const char *call) {
  perror(call);
  _exit(1);
}

static void send_message(int fd, size_t length, const int *descriptors, size_t count) {
  struct iovec data = {.iov_base = bytes, .iov_len = length};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
  }
  if (sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)length) die("sendmsg");
}

/* Gives the length: 0 at the end. */
static size_t receive_message(int fd, int *descriptors, size_t *count) {
  struct iovec data = {.iov_base = bytes, .iov_len = sizeof bytes};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t length;
  while ((length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | (epoll < 0 ? 0 : MSG_DONTWAIT))) < 0 && errno == EAGAIN) {
    struct epoll_event event;
    if (epoll_wait(epoll, &event, 1, -1) < 0) die("epoll_wait");
  }
  if (length < 0) die("recvmsg");
  if (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) die("truncated");
  *count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(descriptors + *count, CMSG_DATA(header), here * sizeof(int));
    *count += here;
  }
  return (size_t)length;
}

static void watch(int fd, const char *style) {
  if (strcmp(style, "epoll") != 0) return;
  struct epoll_event event = {.events = EPOLLIN};
  if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll");
}

static void close_all(const int *descriptors, size_t count) {
  for (size_t i = 0; i < count; i++) close(descriptors[i]);
}

static void echo(int fd) {
  int descriptors[MOST_DESCRIPTORS];
  size_t count, length;
  while ((length = receive_message(fd, descriptors, &count)) > 0) {
    send_message(fd, length, descriptors, count);
    close_all(descriptors, count);
  }
  _exit(0);
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  const size_t count = strtoul(argv[2], NULL, 10), messages = strtoul(argv[3], NULL, 10),
               window = strtoul(argv[4], NULL, 10), length = strtoul(argv[5], NULL, 10);
  if (count > MOST_DESCRIPTORS || length < 1 || length > MOST_BYTES || window < 1) return 2;
  int ends[2], attached[MOST_DESCRIPTORS], received[MOST_DESCRIPTORS];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) die("socketpair");
  const pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    close(ends[0]);
    watch(ends[1], argv[1]);
    echo(ends[1]);
  }
  close(ends[1]);
  watch(ends[0], argv[1]);
  for (size_t i = 0; i < count; i++)
    if ((attached[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) die("open");

  struct timespec start, end;
  size_t sent = 0;
  for (size_t answered = 0, warm = messages / 10; answered < messages + warm; answered++) {
    if (answered == warm) clock_gettime(CLOCK_MONOTONIC, &start);
    for (; sent < messages + warm && sent - answered < window; sent++) send_message(ends[0], length, attached, count);
    size_t here;
    if (receive_message(ends[0], received, &here) != length || here != count) die("a wrong answer");
    close_all(received, here);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  close(ends[0]);
  waitpid(child, NULL, 0);
  printf("%lld\n", (end.tv_sec - start.tv_sec) * 1000000000LL + (end.tv_nsec - start.tv_nsec));
  return 0;
}
