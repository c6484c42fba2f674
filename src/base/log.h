/*
 * log - logfmt lines to a sink that arrives as an argument.
 *
 *     ts=2026-01-02T03:04:05.678Z level=info subsystem=store event=opened height=12
 *
 * Pure cores do not log: they emit trace effects, which `node` turns into lines.
 * A sink is safe to call from several threads; a line is written whole.
 */
#ifndef WEFT_BASE_LOG_H
#define WEFT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR, /* something is lost or stopped unless somebody acts */
	LOG_LEVEL_WARN,  /* something is off and the node copes */
	LOG_LEVEL_INFO,  /* what an operator wants to see on a normal day */
	LOG_LEVEL_DEBUG, /* what a developer wants to see */
};

struct log {
	/* Takes one finished line without its newline. */
	void (*write)(void *ctx, const char *line);
	/* Milliseconds since 1970, for ts=; NULL leaves ts out (simulation, tests). */
	uint64_t (*now_ms)(void *ctx);
	void *ctx;
	enum log_level level; /* lines above it are not formatted */
};

/* One line. `format` gives the rest as key=value pairs; a value with blanks is
 * the caller's to quote, as in msg=\"%s\". What the arguments bring along is
 * made harmless here, so that no value ends its quotes or its line: a quote
 * becomes ', a backslash /, a control character ?. A line beyond 1,023 bytes is
 * cut and ends in "...". A NULL `log` drops the line. */
void log_line(const struct log *log, enum log_level level, const char *subsystem,
	      const char *event, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#define LOG_ERROR(log, ...) log_line((log), LOG_LEVEL_ERROR, __VA_ARGS__)
#define LOG_WARN(log, ...) log_line((log), LOG_LEVEL_WARN, __VA_ARGS__)
#define LOG_INFO(log, ...) log_line((log), LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_DEBUG(log, ...) log_line((log), LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Lines of one kind that somebody outside can provoke as often as he likes: the first at
 * once, then one a second. Zeroed to begin with. The time comes from the caller; if its clock is
 * set back, a line more gets through. */
#define LOG_RATE_MS 1000

struct log_rate {
	uint64_t next_ms;
	uint64_t left_out;
};

/* True if a line may be written now; *left_out is then how many were not since the last. */
bool log_rate_allows(struct log_rate *r, uint64_t now_ms, uint64_t *left_out);

/* False if `name` is not error, warn, info or debug. */
bool log_level_parse(enum log_level *out, const char *name);

#endif
