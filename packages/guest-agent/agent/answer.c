#include "answer.h"
#include "channel.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void answer_done(uint32_t request)
{
	struct writer w = channel_begin(FRAME_DONE);
	write_u32(&w, request);
	channel_end(&w);
}

void answer_failure(uint32_t request, const struct trouble *why)
{
	struct writer w = channel_begin(FRAME_FAILED);
	write_u32(&w, request);
	write_u8(&w, why->kind);
	write_u32(&w, (uint32_t)why->error);
	write_text(&w, why->feature, 64);
	write_text(&w, why->message, LIMIT_MESSAGE_BYTES);
	channel_end(&w);
}

void answer_refusal(uint32_t request, int error, const char *format, ...)
{
	char what[LIMIT_MESSAGE_BYTES / 2];
	struct trouble why;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	trouble(&why, FAILED_REFUSED, error, "", "%s: %s", what, strerror(error));
	answer_failure(request, &why);
}
