/* The debugger's library: stop a process, read one word of it, let it go on. */
#include <errno.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

int trace_attach(int pid)
{
    if (ptrace(PTRACE_ATTACH, pid, 0, 0) != 0)
        return -errno;
    int status;
    return waitpid(pid, &status, 0) == pid ? 0 : -errno;
}

int trace_word(int pid, uint64_t address, uint64_t *word)
{
    errno = 0;
    long value = ptrace(PTRACE_PEEKDATA, pid, address, 0);
    if (errno != 0)
        return -errno;
    *word = (uint64_t)value;
    return 0;
}

void trace_detach(int pid)
{
    ptrace(PTRACE_DETACH, pid, 0, 0);
}
