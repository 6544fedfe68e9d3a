/*
 * PID 1 of the conformance guest: the smallest program that proves a machine is there.
 *
 * It loads /modules/NN-*.ko in the order of their names, opens the virtio-serial port called "control" and
 * obeys lines that arrive there:
 *   echo N\n  and N bytes   -> the same N bytes
 *   pmem\n                  -> pmem SIZE SIZE ...\n   bytes of every pmem device, ascending
 *   block\n                 -> block SIZE SIZE ...\n  the same for disks
 *   write SERIAL TEXT\n     -> written\n once the text is at the beginning of that disk, or refused\n
 *   view TAG\n              -> view NAME NAME ...\n   what a virtio-fs device shows, sorted; mounted at first use
 *   say N\n                 -> N numbered lines on the kernel console, then said\n
 *   spoil\n                 -> escape sequences and broken UTF-8 on the console, then said\n
 *   poke\n                  -> tries to overwrite every pmem device, then poked\n
 *   off\n | crash\n | hang\n
 * Before the first line is read it sends ready\n.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char block[65536];

static void say(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  int console = open("/dev/console", O_WRONLY | O_NOCTTY);
  if (console < 0 || length < 0) return;
  if (write(console, line, (size_t)length) < 0) { /* nobody to tell */ }
  close(console);
}

static void stop(const char *why) {
  say("echo-init: %s: %s\n", why, strerror(errno));
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void load_modules(void) {
  struct dirent **entries;
  int count = scandir("/modules", &entries, NULL, by_name);
  for (int i = 0; i < count; i++) {
    char path[300];
    if (entries[i]->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/modules/%s", entries[i]->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)) stop(path);
    close(fd);
  }
}

/* The port is found by the name the host gave it, never by number. */
static int open_control(void) {
  for (int tries = 0; tries < 5000; tries++, usleep(2000)) {
    DIR *ports = opendir("/sys/class/virtio-ports");
    struct dirent *port;
    while (ports && (port = readdir(ports))) {
      char path[300], name[64] = "";
      snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", port->d_name);
      int fd = open(path, O_RDONLY | O_CLOEXEC);
      if (fd < 0) continue;
      ssize_t got = read(fd, name, sizeof name - 1);
      close(fd);
      if (got <= 0 || strcmp(name, "control\n") != 0) continue;
      snprintf(path, sizeof path, "/dev/%s", port->d_name);
      fd = open(path, O_RDWR | O_CLOEXEC);
      if (fd >= 0) {
        closedir(ports);
        return fd;
      }
    }
    if (ports) closedir(ports);
  }
  stop("no control port");
  return -1;
}

static void put(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t put = write(fd, bytes, length);
    if (put < 0) {
      if (errno == EINTR) continue;
      stop("write to the control port");
    }
    bytes += put;
    length -= (size_t)put;
  }
}

static size_t get(int fd, char *bytes, size_t length) {
  for (;;) {
    ssize_t got = read(fd, bytes, length);
    if (got > 0) return (size_t)got;
    if (got < 0 && errno != EINTR && errno != EAGAIN) stop("read from the control port");
    usleep(1000); /* 0: the host has closed its end; there may be no second one */
  }
}

static void get_line(int fd, char *line, size_t room) {
  size_t used = 0;
  while (used + 1 < room) {
    get(fd, line + used, 1);
    if (line[used] == '\n') break;
    used++;
  }
  line[used] = 0;
}

static int by_size(const void *a, const void *b) {
  long long x = *(const long long *)a, y = *(const long long *)b;
  return x < y ? -1 : x > y;
}

static void report_devices(int control, const char *kind, const char *prefix, int poke) {
  long long sizes[256];
  int count = 0;
  DIR *blocks = opendir("/sys/block");
  struct dirent *entry;
  while (blocks && (entry = readdir(blocks))) {
    char path[300], text[32] = "";
    if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || count == 256) continue;
    snprintf(path, sizeof path, "/sys/block/%s/size", entry->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    if (read(fd, text, sizeof text - 1) > 0) sizes[count++] = atoll(text) * 512;
    close(fd);
    if (poke) {
      snprintf(path, sizeof path, "/dev/%s", entry->d_name);
      fd = open(path, O_RDWR | O_CLOEXEC);
      memset(block, 0xee, 4096);
      if (fd >= 0 && write(fd, block, 4096) >= 0) fsync(fd);
      if (fd >= 0) close(fd);
    }
  }
  if (blocks) closedir(blocks);
  if (poke) return;
  qsort(sizes, (size_t)count, sizeof sizes[0], by_size);
  size_t used = (size_t)sprintf(block, "%s", kind);
  for (int i = 0; i < count; i++) used += (size_t)sprintf(block + used, " %lld", sizes[i]);
  block[used++] = '\n';
  put(control, block, used);
}

/* The disk with this serial number, or -1. */
static int open_disk(const char *serial) {
  int disk = -1;
  DIR *blocks = opendir("/sys/block");
  struct dirent *entry;
  while (blocks && disk < 0 && (entry = readdir(blocks))) {
    char path[300], text[32] = "";
    snprintf(path, sizeof path, "/sys/block/%s/serial", entry->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[strcspn(text, "\n")] = 0;
    if (got <= 0 || strcmp(text, serial) != 0) continue;
    snprintf(path, sizeof path, "/dev/%s", entry->d_name);
    disk = open(path, O_RDWR | O_CLOEXEC);
  }
  if (blocks) closedir(blocks);
  return disk;
}

static void write_to_disk(int control, char *serial) {
  char *text = strchr(serial, ' ');
  int done = 0;
  if (text) {
    *text++ = 0;
    int disk = open_disk(serial);
    size_t length = strlen(text) + 1;
    done = disk >= 0 && write(disk, text, length) == (ssize_t)length && fsync(disk) == 0;
    if (disk >= 0) close(disk);
  }
  put(control, done ? "written\n" : "refused\n", 8);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void report_view(int control, const char *tag) {
  static int mounted;
  char *names[64];
  int count = 0;
  if (!mounted) {
    mkdir("/view", 0755);
    for (int tries = 0; mount(tag, "/view", "virtiofs", MS_RDONLY, "") != 0; tries++) {
      if (tries == 500) stop("mount of the view");
      usleep(10000);
    }
    mounted = 1;
  }
  DIR *view = opendir("/view");
  struct dirent *entry;
  while (view && (entry = readdir(view)))
    if (entry->d_name[0] != '.' && count < 64) names[count++] = strdup(entry->d_name);
  if (view) closedir(view);
  qsort(names, (size_t)count, sizeof names[0], by_text);
  size_t used = (size_t)sprintf(block, "view");
  for (int i = 0; i < count; i++) {
    used += (size_t)sprintf(block + used, " %.200s", names[i]);
    free(names[i]);
  }
  block[used++] = '\n';
  put(control, block, used);
}

int main(void) {
  mkdir("/dev", 0755);
  mkdir("/sys", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  mount("sysfs", "/sys", "sysfs", 0, "");
  load_modules();
  int control = open_control();
  put(control, "ready\n", 6);
  for (;;) {
    char line[128];
    get_line(control, line, sizeof line);
    if (strncmp(line, "echo ", 5) == 0) {
      for (size_t left = strtoul(line + 5, NULL, 10); left > 0;) {
        size_t got = get(control, block, left < sizeof block ? left : sizeof block);
        put(control, block, got);
        left -= got;
      }
    } else if (strncmp(line, "say ", 4) == 0) {
      long lines = atol(line + 4);
      for (long i = 0; i < lines; i++) say("line %ld\n", i);
      put(control, "said\n", 5);
    } else if (strcmp(line, "spoil") == 0) {
      say("\033[31mred\033[0m \xff\xfe \xc2\x9b \xe2\x80\xae end\n");
      put(control, "said\n", 5);
    } else if (strcmp(line, "pmem") == 0) {
      report_devices(control, "pmem", "pmem", 0);
    } else if (strcmp(line, "block") == 0) {
      report_devices(control, "block", "vd", 0);
    } else if (strncmp(line, "write ", 6) == 0) {
      write_to_disk(control, line + 6);
    } else if (strncmp(line, "view ", 5) == 0) {
      report_view(control, line + 5);
    } else if (strcmp(line, "poke") == 0) {
      report_devices(control, "", "pmem", 1);
      report_devices(control, "", "vd", 1);
      put(control, "poked\n", 6);
    } else if (strcmp(line, "off") == 0) {
      reboot(RB_POWER_OFF);
    } else if (strcmp(line, "crash") == 0) {
      _exit(1); /* PID 1 that ends is a kernel panic */
    } else if (strcmp(line, "hang") == 0) {
      for (;;) pause();
    } else {
      stop("an unknown command");
    }
  }
}
