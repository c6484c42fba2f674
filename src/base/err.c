#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *where, const char *format, ...)
{
	char message[ERR_MESSAGE_MAX]; /* err's own message may be an argument */
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	err->code = code;
	err->where = where;
	memcpy(err->message, message, strlen(message) + 1);
	return code;
}

int err_prefix(struct err *err, int code, const char *format, ...)
{
	char prefix[ERR_MESSAGE_MAX], whole[2 * ERR_MESSAGE_MAX + 2];
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	vsnprintf(prefix, sizeof(prefix), format, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "%s: %s", prefix, err->message);
	whole[ERR_MESSAGE_MAX - 1] = '\0';
	memcpy(err->message, whole, strlen(whole) + 1);
	return code;
}
