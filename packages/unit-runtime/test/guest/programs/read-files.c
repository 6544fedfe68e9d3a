/* `read-files FILE…`: maps each FILE, reads one byte of every page, prints `ready`, and keeps the mappings until
 * its standard input ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    unsigned long sum = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        const int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) != 0) {
            fprintf(stderr, "read-files: %s: %s\n", argv[i], strerror(errno));
            return 1;
        }
        const volatile unsigned char *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) {
            fprintf(stderr, "read-files: mmap: %s\n", strerror(errno));
            return 1;
        }
        for (off_t at = 0; at < st.st_size; at += 4096)
            sum += bytes[at];
        close(fd);
    }
    printf("ready %lu\n", sum);
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0)
        continue;
    return 0;
}
