/*
 * Starts virtiofsd so that it cannot write anything and cannot outlive its parent.
 *
 *     serve-root SOCKET PARENT VIRTIOFSD [OPTION...]
 *
 * QEMU's virtiofsd has no read-only mode and a guest that is root may remount, so the promise is kept here:
 * in a mount namespace of its own, the whole tree is bound a second time, at VIEW, with every mount read-only,
 * and VIEW is what virtiofsd shares. (It cannot share `/` anyway: pivot_root wants another mount.) The socket
 * goes to it as `--fd`, which spares it the lock file it writes for a path.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Any directory will do that exists everywhere and that virtiofsd does not look into. Not a temporary one: whoever
 * removes temporary directories must never find a second way to the root in one.
 */
#define VIEW "/sys"

static __attribute__((noreturn)) void fail(const char *what)
{
    fprintf(stderr, "serve-root: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    strcpy(address.sun_path, path);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0)
        fail("cannot listen");
    return listener;
}

int main(int argc, char **argv)
{
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
    char descriptor[32];
    char **command;
    int listener;

    if (argc < 4) {
        fprintf(stderr, "usage: serve-root SOCKET PARENT VIRTIOFSD [OPTION...]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)strtol(argv[2], NULL, 10))
        return 1; /* the parent died before the line above */
    listener = listen_at(argv[1]);
    if (unshare(CLONE_NEWNS) < 0)
        fail("cannot leave the mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        fail("cannot make the mounts private");
    if (mount("/", VIEW, NULL, MS_BIND | MS_REC, NULL) < 0)
        fail("cannot bind the root");
    if (mount_setattr(AT_FDCWD, VIEW, AT_RECURSIVE, &read_only, sizeof read_only) < 0)
        fail("cannot make the mounts read-only");

    snprintf(descriptor, sizeof descriptor, "--fd=%d", listener);
    /* VIRTIOFSD --fd=N -o source=VIEW OPTION... */
    command = calloc((size_t)argc + 1, sizeof *command);
    if (!command)
        fail("no memory");
    command[0] = argv[3];
    command[1] = descriptor;
    command[2] = "-o";
    command[3] = "source=" VIEW;
    for (int i = 4; i < argc; i++)
        command[i] = argv[i];
    execv(command[0], command);
    fail(command[0]);
}
