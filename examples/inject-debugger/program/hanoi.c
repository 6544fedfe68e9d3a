/* Moves a tower of Hanoi to and fro for ever, slowly enough to be looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DISKS 4

static char peg_of[DISKS + 1] = {0, 'A', 'A', 'A', 'A'};

static void move_disk(int disk, char from, char to)
{
	if (peg_of[disk] != from)
		abort();
	peg_of[disk] = to;
	usleep(20000);
}

static void move_tower(int disks, char from, char to, char spare)
{
	if (disks == 0)
		return;
	move_tower(disks - 1, from, spare, to);
	move_disk(disks, from, to);
	move_tower(disks - 1, spare, to, from);
}

int main(void)
{
	printf("process %d\n", (int)getpid());
	fflush(stdout);
	for (;;) {
		move_tower(DISKS, 'A', 'C', 'B');
		move_tower(DISKS, 'C', 'A', 'B');
	}
}
