/* `hash-store DIR`: one line for everything below DIR: `d MODE PATH`, `l TARGET PATH`, `f MODE SIZE SHA256 PATH`. */
#include "sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what)
{
    fprintf(stderr, "hash-store: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void hash_file(const char *path, const struct stat *st)
{
    static char buffer[65536];
    struct sha256 hash;
    char hex[65];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail(path);
    sha256_start(&hash);
    off_t total = 0;
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) != 0; total += got) {
        if (got < 0)
            fail(path);
        sha256_add(&hash, buffer, (size_t)got);
    }
    close(fd);
    sha256_finish(&hash, hex);
    printf("f %04o %lld %s %s\n", st->st_mode & 07777, (long long)total, hex, path);
}

static void walk(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        fail(path);
    if (S_ISREG(st.st_mode)) {
        hash_file(path, &st);
    } else if (S_ISLNK(st.st_mode)) {
        static char target[65536];
        const ssize_t length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            fail(path);
        target[length] = '\0';
        printf("l %s %s\n", target, path);
    } else if (S_ISDIR(st.st_mode)) {
        printf("d %04o %s\n", st.st_mode & 07777, path);
        DIR *directory = opendir(path);
        if (!directory)
            fail(path);
        for (struct dirent *entry; (entry = readdir(directory));) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            char *child;
            if (asprintf(&child, "%s/%s", path, entry->d_name) < 0)
                abort();
            walk(child);
            free(child);
        }
        closedir(directory);
    } else {
        printf("? %o %s\n", st.st_mode, path);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    DIR *store = opendir(argv[1]);
    if (!store)
        fail(argv[1]);
    for (struct dirent *entry; (entry = readdir(store));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *child;
        if (asprintf(&child, "%s/%s", argv[1], entry->d_name) < 0)
            abort();
        walk(child);
        free(child);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
