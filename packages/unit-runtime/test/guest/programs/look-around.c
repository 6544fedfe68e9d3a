/* Prints the time in seconds, 16 random bytes, and `fresh` unless it was run in this unit before. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	unsigned char bytes[16];
	int fresh = open("/tmp/was-here", O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return 1;
	printf("%lld ", (long long)time(NULL));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		printf("%02x", bytes[i]);
	printf(" %s\n", fresh ? "fresh" : "used");
	return 0;
}
