#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *where, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	err->where = where;
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	return code;
}

int err_prefix(struct err *err, int code, const char *format, ...)
{
	char old[ERR_MESSAGE_MAX];
	va_list args;
	int size;

	if (!err)
		return code;
	memcpy(old, err->message, sizeof(old));
	va_start(args, format);
	size = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	if (size >= 0 && (size_t)size < sizeof(err->message))
		snprintf(err->message + size, sizeof(err->message) - (size_t)size, ": %s", old);
	return code;
}
