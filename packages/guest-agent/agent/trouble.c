#include "trouble.h"

#include <stdarg.h>
#include <stdio.h>

bool trouble(struct trouble *t, uint8_t kind, int error, const char *feature, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	t->kind = kind;
	t->error = error;
	t->feature = feature;
	vsnprintf(t->message, sizeof t->message, format, arguments);
	va_end(arguments);
	return false;
}
