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

/* The caller's quotes while a line is made: control characters, which no line
 * keeps. Two, so that an argument that brings one along is told from them. */
#define QUOTE_A '\001'
#define QUOTE_B '\002'

/* A peer's text may reach a line: it must not start a new one, nor a new field,
 * nor a terminal's escape sequence. `again` is the same line with QUOTE_B. */
static void make_harmless(char *line, const char *again)
{
	for (size_t i = 0; line[i]; i++) {
		unsigned char c = (unsigned char)line[i], next = (unsigned char)line[i + 1];

		if (line[i] == QUOTE_A && again[i] == QUOTE_B)
			line[i] = '"';
		else if (c == '"')
			line[i] = '\'';
		else if (c == '\\')
			line[i] = '/';
		else if (c < ' ' || c == 0x7f)
			line[i] = '?';
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0) /* U+0080 to U+009F */
			line[i] = line[i + 1] = '?';
	}
}

/* Formats into `out` with `quote` in place of the format's own quotes; true if
 * it was cut. */
static bool put_fields(char *out, size_t size, char quote, const char *format, va_list args)
{
	char marked[LOG_LINE_MAX];
	size_t i;
	int need;

	for (i = 0; format[i] && i + 1 < sizeof(marked); i++)
		marked[i] = format[i] == '"' ? quote : format[i];
	marked[i] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* log_line() has it checked */
	need = vsnprintf(out, size, marked, args);
#pragma GCC diagnostic pop
	return need < 0 || (size_t)need >= size;
}

/* Ends a line that was cut, between two characters and with its quotes closed. */
static void mark_cut(char *line)
{
	size_t end = LOG_LINE_MAX - 1 - strlen("...\"");
	bool open = false;

	while (end > 0 && ((unsigned char)line[end] & 0xc0) == 0x80)
		end--;
	for (size_t i = 0; i < end; i++)
		open ^= line[i] == '"';
	strcpy(line + end, open ? "...\"" : "...");
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
	char line[LOG_LINE_MAX], again[LOG_LINE_MAX];
	bool cut = false;
	size_t size = 0;
	va_list args;

	if (!log || !log->write || level > log->level)
		return;
	if (log->now_ms)
		size = put_time(line, log->now_ms(log->ctx));
	size += (size_t)snprintf(line + size, sizeof(line) - size, "level=%s subsystem=%s event=%s%s",
				 level_names[level], subsystem, event, format[0] ? " " : "");
	if (size < sizeof(line)) {
		memcpy(again, line, size);
		va_start(args, format);
		cut = put_fields(line + size, sizeof(line) - size, QUOTE_A, format, args);
		va_end(args);
		va_start(args, format);
		put_fields(again + size, sizeof(again) - size, QUOTE_B, format, args);
		va_end(args);
	} else {
		cut = true;
		memcpy(again, line, sizeof(again));
	}
	make_harmless(line, again);
	if (cut)
		mark_cut(line);
	log->write(log->ctx, line);
}

bool log_rate_allows(struct log_rate *r, uint64_t now_ms, uint64_t *left_out)
{
	if (now_ms < r->next_ms && r->next_ms - now_ms <= LOG_RATE_MS) {
		r->left_out++;
		return false;
	}
	*left_out = r->left_out;
	*r = (struct log_rate){ .next_ms = now_ms + LOG_RATE_MS };
	return true;
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
