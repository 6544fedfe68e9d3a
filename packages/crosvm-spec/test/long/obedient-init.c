/*
 * PID 1 of the guest that the lab controls: it loads its modules, opens the first virtio console and obeys lines.
 * Every line has one line for an answer, "ok ..." or "no ERRNO":
 *   read PATH OFFSET COUNT   -> ok HEX
 *   write PATH TEXT          -> ok
 *   list PATH                -> ok NAME NAME ...
 *   peek ADDRESS COUNT       -> ok HEX             physical memory, in words of 4 bytes
 *   poke ADDRESS VALUE       -> ok
 *   in PORT, in16 PORT       -> ok VALUE
 *   out PORT VALUE, out16 PORT VALUE -> ok
 *   mount TAG                -> ok                 a virtio-fs share, at /share
 *   count                    -> ok N               one more than the time before
 *   time                     -> ok SECONDS         the guest's own clock since its boot
 *   off | reset | panic
 * Before the first line is read it sends "ready". Numbers are decimal or 0x hexadecimal.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int channel = -1;
static char answer[16384];

static void say(const char *text) {
  size_t done = 0, length = strlen(text);
  while (done < length) {
    ssize_t wrote = write(channel, text + done, length - done);
    if (wrote < 0) break;
    done += (size_t)wrote;
  }
}

static void refuse(void) { snprintf(answer, sizeof answer, "no %d", errno); }

static void stop(const char *why) {
  fprintf(stderr, "obedient-init: %s: %s\n", why, strerror(errno));
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

static void load_modules(void) {
  FILE *list = fopen("/modules/load", "re");
  char path[256];
  if (!list) stop("/modules/load");
  while (fgets(path, sizeof path, list)) {
    path[strcspn(path, "\n")] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)) stop(path);
    close(fd);
  }
  fclose(list);
}

static void put_hex(const uint8_t *bytes, size_t count) {
  char *to = answer + sprintf(answer, "ok ");
  for (size_t i = 0; i < count; i++) to += sprintf(to, "%02x", bytes[i]);
}

static void read_file(const char *path, uint64_t offset, uint64_t count) {
  static uint8_t bytes[8000];
  if (count > sizeof bytes) count = sizeof bytes;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ssize_t got = fd < 0 ? -1 : pread(fd, bytes, count, (off_t)offset);
  if (got < 0) refuse();
  else put_hex(bytes, (size_t)got);
  if (fd >= 0) close(fd);
}

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) refuse();
  else strcpy(answer, "ok");
  if (fd >= 0) close(fd);
}

static void list_directory(const char *path) {
  DIR *directory = opendir(path);
  struct dirent *entry;
  size_t length = (size_t)sprintf(answer, "ok");
  if (!directory) {
    refuse();
    return;
  }
  while ((entry = readdir(directory)) && length < sizeof answer - 300)
    if (entry->d_name[0] != '.') length += (size_t)sprintf(answer + length, " %s", entry->d_name);
  closedir(directory);
}

/* Words are what devices expect; a byte-wise copy would reach them as other accesses. */
static void physical(uint64_t address, uint64_t count, const uint32_t *store) {
  static uint32_t words[1024];
  uint64_t page = address & ~4095ull, within = address - page;
  int fd = open("/dev/mem", O_RDWR | O_CLOEXEC | O_SYNC);
  if (count > 4096 - within) count = 4096 - within;
  void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)page);
  if (map == MAP_FAILED) {
    refuse();
  } else {
    volatile uint32_t *at = (volatile uint32_t *)((char *)map + within);
    if (store) {
      *at = *store;
      strcpy(answer, "ok");
    } else {
      for (size_t i = 0; i < count / 4; i++) words[i] = at[i];
      put_hex((const uint8_t *)words, count & ~3ull);
    }
    munmap(map, 4096);
  }
  if (fd >= 0) close(fd);
}

static void obey(char *line) {
  static unsigned counted;
  char *word[4] = {0}, *rest = line;
  for (int i = 0; i < 4 && rest; i++) word[i] = i < 2 ? strsep(&rest, " ") : i == 2 ? rest : NULL;
  char *third = word[2] ? strdup(word[2]) : NULL, *after = third;
  char *second_number = after ? strsep(&after, " ") : NULL;
  uint64_t a = word[1] ? strtoull(word[1], NULL, 0) : 0, b = second_number ? strtoull(second_number, NULL, 0) : 0;
  uint64_t c = after ? strtoull(after, NULL, 0) : 0;
  uint32_t value = (uint32_t)b;
  errno = 0;
  if (!strcmp(word[0], "read") && word[1]) read_file(word[1], b, c);
  else if (!strcmp(word[0], "write") && word[2]) write_file(word[1], word[2]);
  else if (!strcmp(word[0], "list") && word[1]) list_directory(word[1]);
  else if (!strcmp(word[0], "peek")) physical(a, b, NULL);
  else if (!strcmp(word[0], "poke")) physical(a, 4, &value);
  else if (!strcmp(word[0], "in")) sprintf(answer, "ok %u", inb((unsigned short)a));
  else if (!strcmp(word[0], "in16")) sprintf(answer, "ok %u", inw((unsigned short)a));
  else if (!strcmp(word[0], "out")) outb((unsigned char)b, (unsigned short)a), strcpy(answer, "ok");
  else if (!strcmp(word[0], "out16")) outw((unsigned short)b, (unsigned short)a), strcpy(answer, "ok");
  else if (!strcmp(word[0], "mount") && word[1]) {
    mkdir("/share", 0755);
    if (mount(word[1], "/share", "virtiofs", 0, "") != 0) refuse();
    else strcpy(answer, "ok");
  } else if (!strcmp(word[0], "count")) sprintf(answer, "ok %u", ++counted);
  else if (!strcmp(word[0], "time")) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sprintf(answer, "ok %ld.%03ld", (long)now.tv_sec, now.tv_nsec / 1000000);
  } else if (!strcmp(word[0], "off")) reboot(RB_POWER_OFF);
  else if (!strcmp(word[0], "reset")) reboot(RB_AUTOBOOT);
  else if (!strcmp(word[0], "panic")) write_file("/proc/sysrq-trigger", "c");
  else errno = EINVAL, refuse();
  free(third);
}

int main(void) {
  static char line[8192];
  size_t held = 0;
  struct termios raw;
  mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  mount("proc", "/proc", "proc", 0, "");
  mount("sysfs", "/sys", "sysfs", 0, "");
  load_modules();
  if (iopl(3) != 0) stop("iopl");
  for (int tries = 0; tries < 5000 && channel < 0; tries++, usleep(2000))
    channel = open("/dev/hvc0", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (channel < 0 || tcgetattr(channel, &raw) != 0) stop("/dev/hvc0");
  cfmakeraw(&raw);
  if (tcsetattr(channel, TCSANOW, &raw) != 0) stop("/dev/hvc0");
  say("ready\n");
  for (;;) {
    ssize_t got = read(channel, line + held, sizeof line - 1 - held);
    if (got <= 0) {
      usleep(2000);
      continue;
    }
    held += (size_t)got;
    line[held] = 0;
    char *end;
    while ((end = strchr(line, '\n'))) {
      *end = 0;
      obey(line);
      strcat(answer, "\n");
      say(answer);
      held -= (size_t)(end + 1 - line);
      memmove(line, end + 1, held + 1);
    }
    if (held == sizeof line - 1) held = 0;
  }
}
