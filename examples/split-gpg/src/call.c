/*
 * call PATH: connects to the Unix socket PATH, sends it standard input, and prints what it answers. Status 0; 1 when there
 * is no answer, which is all that a program learns of a call that was refused.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int copy(int from, int to, size_t *total)
{
	char buffer[4096];
	ssize_t got;

	while ((got = read(from, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < got;) {
			ssize_t put = write(to, buffer + at, (size_t)(got - at));

			if (put < 0)
				return -1;
			at += put;
		}
		*total += (size_t)got;
	}
	return got < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t sent = 0, answered = 0;
	int service = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path)) {
		fprintf(stderr, "call: name the path of one socket\n");
		return 2;
	}
	strcpy(address.sun_path, argv[1]);
	if (service < 0 || connect(service, (struct sockaddr *)&address, sizeof(address)) != 0) {
		perror(argv[1]);
		return 1;
	}
	/* A call that is refused is hung up on, whether it was heard or not: a write may find nobody. */
	signal(SIGPIPE, SIG_IGN);
	if (copy(STDIN_FILENO, service, &sent) == 0)
		shutdown(service, SHUT_WR);
	copy(service, STDOUT_FILENO, &answered);
	return answered > 0 ? 0 : 1;
}
