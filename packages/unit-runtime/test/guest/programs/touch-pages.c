/*
 * `touch-pages FILE`: maps FILE, reads one byte of every page, then the whole file with read(2), and prints
 * the guest's page cache in KiB before and after: `size N`, `cached-before N`, `cached-after N`. Then it copies
 * the file to /tmp and prints `cached-copied N`, the control that shows the figure moves when a copy is made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what)
{
    fprintf(stderr, "touch-pages: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long cached_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *meminfo = fopen("/proc/meminfo", "r");
    if (!meminfo)
        fail("/proc/meminfo");
    while (fgets(line, sizeof line, meminfo))
        if (sscanf(line, "Cached: %ld kB", &kib) == 1)
            break;
    fclose(meminfo);
    return kib;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    const int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        fail(argv[1]);
    const long before = cached_kib();
    const volatile unsigned char *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        fail("mmap");
    unsigned long sum = 0;
    for (off_t at = 0; at < st.st_size; at += 4096)
        sum += bytes[at];
    static char buffer[65536];
    off_t total = 0;
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) != 0; total += got)
        if (got < 0)
            fail("read");
    const long after = cached_kib();
    const int copy = open("/tmp/copy", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (copy < 0)
        fail("/tmp/copy");
    if (lseek(fd, 0, SEEK_SET) != 0)
        fail("lseek");
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) != 0;)
        if (got < 0 || write(copy, buffer, (size_t)got) != got)
            fail("copy");
    printf("size %lld\ncached-before %ld\ncached-after %ld\ncached-copied %ld\nsum %lu\n", (long long)total,
           before, after, cached_kib(), sum);
    unlink("/tmp/copy");
    return 0;
}
