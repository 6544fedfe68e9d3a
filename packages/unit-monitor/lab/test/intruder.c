/*
 * What a hostile lab would do: mounts the host's root a second time, to write, and makes a file in the directory
 * that is named. Prints the kernel's answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    char path[4096];

    if (argc != 2 || mkdir("/second", 0700) < 0)
        return 2;
    /* 9p lets each share be mounted once; virtio-fs lets it be mounted again. */
    if (mount("host-root", "/second", "virtiofs", 0, NULL) < 0 &&
        mount("host-root", "/second", "9p", 0, "trans=virtio,version=9p2000.L,access=any") < 0) {
        puts(strerror(errno));
        return 0;
    }
    snprintf(path, sizeof path, "/second%s/intruded", argv[1]);
    puts(open(path, O_CREAT | O_WRONLY, 0600) < 0 ? strerror(errno) : "written");
    return 0;
}
