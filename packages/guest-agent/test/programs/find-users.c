/*
 * Looks for the users of a store path while this process may open only so many descriptors more: find-users MORE.
 * Prints whether it could look, and why not.
 */
#include "users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char names[1][LIMIT_NAME_BYTES + 1] = {"00000000000000000000000000000000-x"};
	uint8_t used[1] = {0};
	uint32_t processes = 0;
	int next = open("/", O_RDONLY | O_CLOEXEC);
	if (argc != 2 || next < 0)
		return 2;
	close(next);
	rlim_t most = (rlim_t)next + (rlim_t)strtoul(argv[1], NULL, 10);
	struct rlimit before;
	getrlimit(RLIMIT_NOFILE, &before);
	struct rlimit limit = {.rlim_cur = most, .rlim_max = before.rlim_max};
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 2;
	if (find_users(names, 1, used, &processes))
		printf("used by %u\n", processes);
	else
		printf("%s\n", strerrorname_np(errno));
	/* The sanitizers look at files too. */
	return setrlimit(RLIMIT_NOFILE, &before) < 0 ? 2 : 0;
}
