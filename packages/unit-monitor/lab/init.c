/*
 * PID 1 of the lab: makes the host's root, which it sees read-only, into a root of its own, runs one
 * command there and reports how it ended.
 *
 * Three virtio-serial ports lead to the host. Two carry what the command writes; the third carries one line:
 *
 *     ready                              the command is about to start
 *     exited CODE STDOUT STDERR          it ended; STDOUT and STDERR are the bytes written to those ports
 *     signalled NUMBER STDOUT STDERR
 *     failed MESSAGE                     the lab itself could not do its work
 *
 * The byte counts let the host wait for exactly the rest of the output and then end the machine itself:
 * a guest that powers off cannot know what its monitor has already passed on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ENTRIES 4096
#define PORT_DEADLINE_MS 30000

static struct {
    char *cwd;
    char *modules; /* the host's lib/modules/RELEASE, or NULL */
    char *root;          /* the type of file system that brings the host's root */
    char *loader, *libc; /* where programs look for their dynamic loader, and where it is; or NULL */
    unsigned timeout_s;
    char *argv[MAX_ENTRIES + 1];
    char *envp[MAX_ENTRIES + 1];
    size_t argc, envc;
} task;

static int status_port = -1;

static __attribute__((noreturn)) void power_off(void)
{
    sync();
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...)
{
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (status_port >= 0) {
        dprintf(status_port, "failed %s\n", message);
        /* The host ends the machine when it has read that; this is for a host that does not. */
        sleep(10);
    }
    fprintf(stderr, "lab: %s\n", message);
    power_off();
}

static void *read_whole(const char *path, size_t *length)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    char *bytes;
    size_t have = 0;

    if (file < 0 || fstat(file, &about) < 0)
        fail("cannot open %s: %s", path, strerror(errno));
    bytes = malloc((size_t)about.st_size + 1);
    if (!bytes)
        fail("no memory for %s", path);
    while (have < (size_t)about.st_size) {
        ssize_t n = read(file, bytes + have, (size_t)about.st_size - have);
        if (n <= 0)
            fail("cannot read %s", path);
        have += (size_t)n;
    }
    close(file);
    bytes[have] = '\0';
    *length = have;
    return bytes;
}

/* The task is NUL-terminated entries, KEY=VALUE; `arg` and `env` repeat and keep their order. */
static void read_task(void)
{
    size_t length;
    char *bytes = read_whole("/lab/task", &length);

    for (char *entry = bytes; entry < bytes + length; entry += strlen(entry) + 1) {
        char *value = strchr(entry, '=');
        size_t key;

        if (!value)
            fail("malformed task entry");
        key = (size_t)(value - entry);
        value++;
        if (key == 3 && !memcmp(entry, "arg", 3) && task.argc < MAX_ENTRIES)
            task.argv[task.argc++] = value;
        else if (key == 3 && !memcmp(entry, "env", 3) && task.envc < MAX_ENTRIES)
            task.envp[task.envc++] = value;
        else if (key == 3 && !memcmp(entry, "cwd", 3))
            task.cwd = value;
        else if (key == 7 && !memcmp(entry, "modules", 7))
            task.modules = value;
        else if (key == 6 && !memcmp(entry, "loader", 6))
            task.loader = value;
        else if (key == 4 && !memcmp(entry, "root", 4))
            task.root = value;
        else if (key == 4 && !memcmp(entry, "libc", 4))
            task.libc = value;
        else if (key == 7 && !memcmp(entry, "timeout", 7))
            task.timeout_s = (unsigned)strtoul(value, NULL, 10);
        else
            fail("task entry that this init does not know, or too many");
    }
    if (!task.argc || !task.cwd || !task.root)
        fail("the task names no command, no directory or no root");
}

/* /lab/modules lists the modules in the order in which modules.dep wants them. */
static void load_modules(void)
{
    size_t length;
    char *list = read_whole("/lab/modules", &length);

    for (char *name = strtok(list, "\n"); name; name = strtok(NULL, "\n")) {
        char path[256];
        int file;

        snprintf(path, sizeof path, "/modules/%s", name);
        file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            fail("cannot open module %s: %s", name, strerror(errno));
        if (syscall(SYS_finit_module, file, "", 0) < 0 && errno != EEXIST)
            fail("module %s does not load: %s", name, strerror(errno));
        close(file);
    }
    free(list);
}

static void make_directory(const char *path)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        fail("cannot make %s: %s", path, strerror(errno));
}

static void mount_at(const char *type, const char *source, const char *path, unsigned long flags, const char *data)
{
    if (mount(source, path, type, flags, data) < 0)
        fail("cannot mount %s (%s) at %s: %s", source, type ? type : "bind", path, strerror(errno));
}

/* The ports announce themselves some time after their module has loaded; the name is the only stable thing. */
static int open_port(const char *wanted)
{
    for (int waited = 0; waited < PORT_DEADLINE_MS; waited += 5, usleep(5000)) {
        DIR *ports = opendir("/sys/class/virtio-ports");
        struct dirent *entry;

        while (ports && (entry = readdir(ports))) {
            char path[512], name[64] = "";
            FILE *file;
            int port;

            snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
            file = fopen(path, "re");
            if (!file)
                continue;
            if (!fgets(name, sizeof name, file))
                name[0] = '\0';
            fclose(file);
            name[strcspn(name, "\n")] = '\0';
            if (strcmp(name, wanted))
                continue;
            snprintf(path, sizeof path, "/dev/%s", entry->d_name);
            port = open(path, O_RDWR | O_CLOEXEC);
            if (port >= 0) {
                closedir(ports);
                return port;
            }
        }
        if (ports)
            closedir(ports);
    }
    fail("the port %s did not appear", wanted);
}

/* The host's root below, a tmpfs above: everything is in its place and everything can be written. */
static void enter_root(void)
{
    make_directory("/host");
    make_directory("/written");
    make_directory("/merged");
    mount_at(task.root, "host-root", "/host", MS_RDONLY,
             strcmp(task.root, "9p") ? NULL : "trans=virtio,version=9p2000.L,cache=loose,msize=524288");
    mount_at("tmpfs", "written", "/written", 0, "mode=0755");
    make_directory("/written/upper");
    make_directory("/written/work");
    mount_at("overlay", "root", "/merged", 0, "lowerdir=/host,upperdir=/written/upper,workdir=/written/work,volatile");

    mount_at(NULL, "/dev", "/merged/dev", MS_MOVE, NULL);
    mount_at(NULL, "/proc", "/merged/proc", MS_MOVE, NULL);
    mount_at(NULL, "/sys", "/merged/sys", MS_MOVE, NULL);
    if (chdir("/merged") < 0)
        fail("cannot enter the merged root: %s", strerror(errno));
    mount_at(NULL, ".", "/", MS_MOVE, NULL);
    if (chroot(".") < 0 || chdir("/") < 0)
        fail("cannot make the merged root the root: %s", strerror(errno));

    /* What the host has in /run belongs to processes that do not exist here. */
    mount_at("tmpfs", "run", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
    make_directory("/run/lock");
    make_directory("/dev/pts");
    make_directory("/dev/shm");
    mount_at("devpts", "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666");
    mount_at("tmpfs", "shm", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
    mount_at("cgroup2", "cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    (void)!symlink("/proc/self/fd", "/dev/fd");
    (void)!symlink("/proc/self/fd/0", "/dev/stdin");
    (void)!symlink("/proc/self/fd/1", "/dev/stdout");
    (void)!symlink("/proc/self/fd/2", "/dev/stderr");
}

/* So that modprobe finds the modules of the kernel that runs, wherever the host keeps them. */
static void offer_modules(void)
{
    const char *release;
    char path[256];

    if (!task.modules || !(release = strrchr(task.modules, '/')))
        return;
    snprintf(path, sizeof path, "/lib/modules/%s", release + 1);
    if (!strcmp(path, task.modules))
        return;
    make_directory("/lib/modules");
    make_directory(path);
    mount_at(NULL, task.modules, path, MS_BIND, NULL);
}

/* In a lab of another architecture than the host's, what is at the loader's place is the host's or nothing. */
static void offer_loader(void)
{
    if (!task.loader || !task.libc)
        return;
    (void)!unlink(task.loader);
    if (symlink(task.libc, task.loader) < 0)
        fail("cannot link %s to %s: %s", task.loader, task.libc, strerror(errno));
}

static void raise_loopback(void)
{
    struct ifreq request = { .ifr_name = "lo" };
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (any < 0 || ioctl(any, SIOCGIFFLAGS, &request) < 0)
        fail("no loopback interface: %s", strerror(errno));
    request.ifr_flags |= IFF_UP;
    if (ioctl(any, SIOCSIFFLAGS, &request) < 0)
        fail("cannot raise the loopback interface: %s", strerror(errno));
    close(any);
}

/* One stream of the command on its way to the host. */
struct stream {
    int pipe, port;
    char bytes[65536];
    size_t start, end;
    uint64_t sent;
    bool ended;
};

static struct stream streams[2];

/* Moves what can be moved without waiting; answers whether it moved anything. */
static bool pump(struct stream *stream)
{
    ssize_t n;

    if (stream->start == stream->end) {
        if (stream->ended)
            return false;
        n = read(stream->pipe, stream->bytes, sizeof stream->bytes);
        if (n == 0)
            stream->ended = true;
        if (n <= 0)
            return false;
        stream->start = 0;
        stream->end = (size_t)n;
    }
    n = write(stream->port, stream->bytes + stream->start, stream->end - stream->start);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            fail("cannot write to a port: %s", strerror(errno));
        return false;
    }
    stream->start += (size_t)n;
    stream->sent += (uint64_t)n;
    return true;
}

static __attribute__((noreturn)) void become_command(const int ends[2], const sigset_t *signals)
{
    const struct rlimit files = { .rlim_cur = 1024, .rlim_max = 524288 };
    int nothing = open("/dev/null", O_RDONLY);

    setsid();
    setrlimit(RLIMIT_NOFILE, &files);
    sigprocmask(SIG_UNBLOCK, signals, NULL);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(ends[0], 1) < 0 || dup2(ends[1], 2) < 0)
        _exit(125);
    if (nothing > 2)
        close(nothing);
    if (chdir(task.cwd) < 0) {
        dprintf(2, "lab: cannot enter %s: %s\n", task.cwd, strerror(errno));
        _exit(125);
    }
    environ = task.envp;
    execvp(task.argv[0], task.argv);
    dprintf(2, "lab: cannot run %s: %s\n", task.argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static int run_command(void)
{
    int ends[2], arrivals, status = 0;
    bool running = true;
    sigset_t signals;
    pid_t command;

    for (int i = 0; i < 2; i++) {
        int pair[2];

        if (pipe2(pair, O_CLOEXEC) < 0)
            fail("no pipe: %s", strerror(errno));
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
        fcntl(streams[i].port, F_SETFL, O_NONBLOCK);
        streams[i].pipe = pair[0];
        ends[i] = pair[1];
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    arrivals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    command = fork();
    if (arrivals < 0 || command < 0)
        fail("cannot start the command: %s", strerror(errno));
    if (command == 0)
        become_command(ends, &signals);
    close(ends[0]);
    close(ends[1]);

    for (;;) {
        struct pollfd waits[3] = { { .fd = arrivals, .events = POLLIN } };
        bool moved = false;

        for (int i = 0; i < 2; i++)
            moved |= pump(&streams[i]);
        if (moved)
            continue;
        /* Pipes that others still hold open do not keep the lab alive: what the command wrote is out. */
        if (!running && streams[0].start == streams[0].end && streams[1].start == streams[1].end)
            return status;
        for (int i = 0; i < 2; i++) {
            bool full = streams[i].start != streams[i].end;

            waits[i + 1].fd = full ? streams[i].port : streams[i].ended ? -1 : streams[i].pipe;
            waits[i + 1].events = full ? POLLOUT : POLLIN;
        }
        poll(waits, 3, -1);
        if (waits[0].revents) {
            struct signalfd_siginfo ignored;
            int how;
            pid_t who;

            (void)!read(arrivals, &ignored, sizeof ignored);
            while ((who = waitpid(-1, &how, WNOHANG)) > 0) {
                if (who == command) {
                    running = false;
                    status = how;
                }
            }
        }
    }
}

int main(void)
{
    int status;

    make_directory("/dev");
    make_directory("/proc");
    make_directory("/sys");
    mount_at("devtmpfs", "dev", "/dev", MS_NOSUID, "mode=0755");
    mount_at("proc", "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_at("sysfs", "sys", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    read_task();
    load_modules();
    status_port = open_port("lab.status");
    streams[0].port = open_port("lab.stdout");
    streams[1].port = open_port("lab.stderr");
    enter_root();
    offer_modules();
    offer_loader();
    raise_loopback();
    (void)!sethostname("lab", 3);
    if (access("/dev/kvm", R_OK | W_OK) < 0)
        fail("the modules loaded but there is no /dev/kvm");
    /* The host ends the machine at the deadline; this ends it when the host is no longer there to do so. */
    if (fork() == 0) {
        sleep(task.timeout_s + 30);
        reboot(RB_POWER_OFF);
    }
    dprintf(status_port, "ready\n");
    status = run_command();
    dprintf(status_port, "%s %d %llu %llu\n", WIFSIGNALED(status) ? "signalled" : "exited",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (unsigned long long)streams[0].sent,
            (unsigned long long)streams[1].sent);
    sleep(30);
    power_off();
}
