/* `eat-memory MIB`: takes so much memory, writes to every page of it, and prints `eaten`. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	size_t size = strtoul(argv[1], NULL, 10) << 20;
	unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	/* Not zeros: whoever runs this machine may take a page of zeros for one that is not there. */
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 0xa5;
	puts("eaten");
	return 0;
}
