/*
 * `look-around [TRACE]`: prints the time in seconds, 16 random bytes, and `fresh` unless it was run in this unit before with
 * the same TRACE, a file that it leaves (/tmp/was-here).
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned char bytes[16];
	const char *trace = argc > 1 ? argv[1] : "/tmp/was-here";
	int fresh = open(trace, O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return 1;
	printf("%lld ", (long long)time(NULL));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		printf("%02x", bytes[i]);
	printf(" %s\n", fresh ? "fresh" : "used");
	return 0;
}
