#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"

#define LOG_LINE_MAX 1024

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* A peer's text may reach a line: it must not start a new one. */
static void make_harmless(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static size_t put_time(char *line, uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t size;

	gmtime_r(&seconds, &tm);
	size = strftime(line, LOG_LINE_MAX, "ts=%Y-%m-%dT%H:%M:%S", &tm);
	return size + (size_t)snprintf(line + size, LOG_LINE_MAX - size, ".%03uZ ",
				       (unsigned)(ms % 1000));
}

void log_line(const struct log *log, enum log_level level, const char *subsystem,
	      const char *event, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	size_t size = 0;
	va_list args;

	if (!log || !log->write || level > log->level)
		return;
	if (log->now_ms)
		size = put_time(line, log->now_ms(log->ctx));
	size += (size_t)snprintf(line + size, sizeof(line) - size, "level=%s subsystem=%s event=%s",
				 level_names[level], subsystem, event);
	if (format[0] && size + 1 < sizeof(line)) {
		line[size++] = ' ';
		va_start(args, format);
		vsnprintf(line + size, sizeof(line) - size, format, args);
		va_end(args);
	}
	make_harmless(line);
	log->write(log->ctx, line);
}

bool log_level_parse(enum log_level *out, const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}
