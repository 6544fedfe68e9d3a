/*
 * PID 1 of a guest that looks at a view. It loads the modules of /modules/load, then does what it is told, line by
 * line, on the serial port, and ends each answer with `= ok` or `= errno`.
 *
 *     mount TAG PLACE     list PLACE          walk PLACE     stat PATH     read PATH     write PATH
 *     drop                bench PLACE WHAT    off
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* FNV-1a, twice with different beginnings: enough to tell trees apart that nobody made to collide. */
static uint32_t digest[2];
static unsigned long entries, bytes_read;

static void mix(const void *data, size_t length) {
  const uint8_t *bytes = data;
  uint32_t a = digest[0], b = digest[1];
  for (size_t i = 0; i < length; i++) {
    a = (a ^ bytes[i]) * 16777619u;
    b = (b ^ bytes[i]) * 2654435761u;
  }
  digest[0] = a;
  digest[1] = b;
}

static void mix_number(uint64_t number) {
  uint8_t bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(number >> (8 * i));
  mix(bytes, sizeof bytes);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The names in a directory, sorted; NULL at the end. */
static char **names_in(int directory) {
  DIR *stream = fdopendir(dup(directory));
  if (stream == NULL) return NULL;
  rewinddir(stream);
  char **names = calloc(1, sizeof *names);
  size_t count = 0;
  errno = 0;
  for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    names = realloc(names, (count + 2) * sizeof *names);
    names[count++] = strdup(entry->d_name);
    names[count] = NULL;
  }
  const int problem = errno;
  closedir(stream);
  qsort(names, count, sizeof *names, by_name);
  errno = problem;
  return problem == 0 ? names : NULL;
}

static char buffer[1 << 20];

static int walk_at(int directory, const char *name, int depth);

static int walk_inside(int directory, int depth) {
  char **names = names_in(directory);
  if (names == NULL) return -1;
  int result = 0;
  for (char **name = names; *name != NULL; name++) {
    if (result == 0) result = walk_at(directory, *name, depth);
    free(*name);
  }
  free(names);
  return result;
}

/* Kind and executability, the name, then what is in it. */
static int walk_at(int directory, const char *name, int depth) {
  struct stat found;
  if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  entries++;
  mix_number((uint64_t)depth);
  mix(name, strlen(name) + 1);
  mix_number(found.st_mode);
  if (S_ISLNK(found.st_mode)) {
    const ssize_t length = readlinkat(directory, name, buffer, sizeof buffer);
    if (length < 0) return -1;
    mix(buffer, (size_t)length);
    return 0;
  }
  const int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW);
  if (fd < 0) return -1;
  int result = 0;
  if (S_ISDIR(found.st_mode)) {
    result = walk_inside(fd, depth + 1);
  } else {
    mix_number((uint64_t)found.st_size);
    ssize_t length;
    while ((length = read(fd, buffer, sizeof buffer)) > 0) {
      bytes_read += (unsigned long)length;
      mix(buffer, (size_t)length);
    }
    result = length < 0 ? -1 : 0;
  }
  const int problem = errno;
  close(fd);
  errno = problem;
  return result;
}

static int walk(const char *place) {
  digest[0] = 2166136261u;
  digest[1] = 40503u;
  entries = bytes_read = 0;
  const int top = open(place, O_RDONLY | O_DIRECTORY);
  if (top < 0) return -1;
  const int result = walk_inside(top, 0);
  const int problem = errno;
  close(top);
  errno = problem;
  if (result == 0) printf("%08x%08x %lu %lu\n", digest[0], digest[1], entries, bytes_read);
  return result;
}

static int list(const char *place) {
  const int directory = open(place, O_RDONLY | O_DIRECTORY);
  if (directory < 0) return -1;
  char **names = names_in(directory);
  const int problem = errno;
  close(directory);
  errno = problem;
  if (names == NULL) return -1;
  for (char **name = names; *name != NULL; name++) printf("%s\n", *name);
  return 0;
}

static int show(const char *path) {
  struct stat found;
  if (lstat(path, &found) < 0) return -1;
  printf("%o %lld %u %u %ld %lld\n", found.st_mode, (long long)found.st_size, found.st_uid, found.st_gid,
         (long)found.st_nlink, (long long)found.st_mtime);
  return 0;
}

static int show_start(const char *path) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  const ssize_t length = read(fd, buffer, 64);
  const int problem = errno;
  close(fd);
  errno = problem;
  if (length < 0) return -1;
  printf("%.*s\n", (int)length, buffer);
  return 0;
}

/* Every way to change something: the first that is not refused as it should be. */
static int try_to_write(const char *place) {
  char path[PATH_MAX], other[PATH_MAX];
  snprintf(path, sizeof path, "%s/new", place);
  snprintf(other, sizeof other, "%s/other", place);
  const int fd = open(path, O_WRONLY | O_CREAT, 0644);
  if (fd >= 0 || errno != EROFS) return printf("created\n"), -1;
  if (mkdir(path, 0755) == 0 || errno != EROFS) return printf("mkdir\n"), -1;
  if (symlink("x", path) == 0 || errno != EROFS) return printf("symlink\n"), -1;
  if (chmod(place, 0777) == 0 || errno != EROFS) return printf("chmod\n"), -1;
  if (truncate(place, 1) == 0) return printf("truncate\n"), -1;
  if (rename(place, other) == 0) return printf("rename\n"), -1;
  if (rmdir(place) == 0) return printf("rmdir\n"), -1;
  return 0;
}

static int drop_caches(void) {
  const int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
  if (fd < 0 || write(fd, "3", 1) != 1) return -1;
  close(fd);
  return 0;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static long operations;

static int bench_tree(int directory, const char *what) {
  char **names = names_in(directory);
  if (names == NULL) return -1;
  int result = 0;
  operations++;
  for (char **name = names; *name != NULL; name++) {
    struct stat found;
    /* Only what listing does not tell: kinds come from names here, directories begin with a d. */
    const bool below = (*name)[0] == 'd';
    if (below) {
      const int fd = openat(directory, *name, O_RDONLY | O_DIRECTORY);
      if (fd < 0 || bench_tree(fd, what) < 0) result = -1;
      if (fd >= 0) close(fd);
    } else if (strcmp(what, "stat") == 0) {
      operations++;
      if (fstatat(directory, *name, &found, AT_SYMLINK_NOFOLLOW) < 0) result = -1;
    } else if (strcmp(what, "small") == 0) {
      operations++;
      const int fd = openat(directory, *name, O_RDONLY);
      if (fd < 0 || read(fd, buffer, 65536) < 0) result = -1;
      if (fd >= 0) close(fd);
    }
    free(*name);
  }
  free(names);
  return result;
}

/* As the agent mounts a view in a unit. */
static int mount_like_agent(const char *tag, const char *place) {
  mkdir("/sys", 0755);
  mkdir(place, 0755);
  if (mount("sysfs", "/sys", "sysfs", 0, NULL) < 0 && errno != EBUSY) return -1;
  if (mount(tag, place, "virtiofs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0) return -1;
  struct stat status;
  if (stat(place, &status) < 0) return -1;
  char setting[PATH_MAX];
  snprintf(setting, sizeof setting, "/sys/class/bdi/%u:%u/read_ahead_kb", major(status.st_dev), minor(status.st_dev));
  FILE *file = fopen(setting, "w");
  if (file == NULL) return -1;
  fputs("512", file);
  return fclose(file);
}

/* Microseconds and operations: `readdir`, `stat`, `small` of a tree, `large` of one file. */
static int bench(const char *place, const char *what) {
  operations = 0;
  const int fd = open(place, O_RDONLY);
  if (fd < 0) return -1;
  const double start = now();
  int result = 0;
  if (strcmp(what, "large") == 0) {
    ssize_t length;
    while ((length = read(fd, buffer, sizeof buffer)) > 0) operations += length;
    result = length < 0 ? -1 : 0;
  } else {
    result = bench_tree(fd, what);
  }
  const double elapsed = now() - start;
  close(fd);
  if (result == 0) printf("%.0f %ld\n", elapsed, operations);
  return result;
}

static int load_modules(void) {
  FILE *names = fopen("/modules/load", "r");
  if (names == NULL) return -1;
  char path[PATH_MAX];
  while (fgets(path, sizeof path, names) != NULL) {
    path[strcspn(path, "\n")] = 0;
    const int fd = open(path, O_RDONLY);
    if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0) return perror(path), -1;
    close(fd);
  }
  fclose(names);
  return 0;
}

static int obey(char *line) {
  char *word[4] = {0};
  int count = 0;
  for (char *part = strtok(line, " "); part != NULL && count < 4; part = strtok(NULL, " ")) word[count++] = part;
  if (count == 0) return 0;
  if (strcmp(word[0], "drop") == 0) return drop_caches();
  if (strcmp(word[0], "off") == 0) return reboot(RB_POWER_OFF);
  if (count < 2) return errno = EINVAL, -1;
  if (strcmp(word[0], "list") == 0) return list(word[1]);
  if (strcmp(word[0], "walk") == 0) return walk(word[1]);
  if (strcmp(word[0], "stat") == 0) return show(word[1]);
  if (strcmp(word[0], "read") == 0) return show_start(word[1]);
  if (strcmp(word[0], "write") == 0) return try_to_write(word[1]);
  if (count < 3) return errno = EINVAL, -1;
  if (strcmp(word[0], "bench") == 0) return bench(word[1], word[2]);
  if (strcmp(word[0], "mount") == 0) {
    mkdir(word[2], 0755);
    return mount(word[1], word[2], "virtiofs", 0, NULL);
  }
  if (strcmp(word[0], "mount-like-agent") == 0) return mount_like_agent(word[1], word[2]);
  return errno = ENOSYS, -1;
}

int main(void) {
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  mount("proc", "/proc", "proc", 0, NULL);
  const int port = open("/dev/ttyS0", O_RDWR);
  struct termios settings;
  if (port < 0 || tcgetattr(port, &settings) < 0) return 1;
  cfmakeraw(&settings);
  tcsetattr(port, TCSANOW, &settings);
  dup2(port, 0);
  dup2(port, 1);
  dup2(port, 2);
  printf("%s\n", load_modules() < 0 ? "no modules" : "ready");
  fflush(stdout);
  static char line[PATH_MAX];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = 0;
    errno = 0;
    const int result = obey(line);
    if (result < 0) printf("= %d\n", errno);
    else printf("= ok\n");
    fflush(stdout);
  }
  return 0;
}
