#include "context.h"

#include <string.h>
#include <sys/types.h>
#include <unistd.h>

void read_context_message(int context, char *text, size_t size)
{
	ssize_t got = read(context, text, size - 1);
	text[got > 0 ? got : 0] = '\0';
	char *newline = strchr(text, '\n');
	if (newline != NULL)
		*newline = '\0';
}
