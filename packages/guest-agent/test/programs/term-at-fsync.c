/* Preloaded: whoever writes a file back is asked to end at that very moment. */
#include <signal.h>
#include <unistd.h>

int fsync(int fd)
{
	(void)fd;
	return raise(SIGTERM);
}
