#include <criterion/criterion.h>
#include <string.h>

#include "base/log.h"

struct sink {
	char line[4096];
	unsigned count;
	uint64_t now_ms;
};

static void take(void *ctx, const char *line)
{
	struct sink *s = ctx;

	s->count++;
	strncpy(s->line, line, sizeof(s->line) - 1);
}

static uint64_t now(void *ctx)
{
	return ((struct sink *)ctx)->now_ms;
}

static struct log log_into(struct sink *s)
{
	*s = (struct sink){ .now_ms = 0 };
	return (struct log){ .write = take, .ctx = s, .level = LOG_LEVEL_DEBUG };
}

Test(log, line_has_level_subsystem_event_and_fields)
{
	struct sink s;
	struct log log = log_into(&s);

	LOG_INFO(&log, "store", "opened", "height=%d path=\"%s\"", 12, "a b");
	cr_assert_str_eq(s.line,
			 "level=info subsystem=store event=opened height=12 path=\"a b\"");
	LOG_ERROR(&log, "store", "closed", "%s", "");
	cr_assert_eq(strncmp(s.line, "level=error subsystem=store event=closed", 40), 0);
	cr_assert_eq(s.count, 2);
}

Test(log, line_begins_with_the_time)
{
	static const struct {
		uint64_t ms;
		const char *want;
	} rows[] = {
		{ 0, "ts=1970-01-01T00:00:00.000Z level=warn subsystem=a event=b c=1" },
		{ 1767322985678, "ts=2026-01-02T03:03:05.678Z level=warn subsystem=a event=b c=1" },
		{ 951782400001, "ts=2000-02-29T00:00:00.001Z level=warn subsystem=a event=b c=1" },
	};
	struct sink s;
	struct log log = log_into(&s);

	log.now_ms = now;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s.now_ms = rows[i].ms;
		LOG_WARN(&log, "a", "b", "c=%d", 1);
		cr_assert_str_eq(s.line, rows[i].want);
	}
	s.now_ms = UINT64_MAX;
	LOG_WARN(&log, "a", "b", "c=%d", 1);
	cr_assert_eq(s.count, 4);
}

Test(log, level_filters_lines)
{
	struct sink s;
	struct log log = log_into(&s);

	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		log.level = (enum log_level)level;
		s.count = 0;
		LOG_ERROR(&log, "a", "b", "c=1");
		LOG_WARN(&log, "a", "b", "c=1");
		LOG_INFO(&log, "a", "b", "c=1");
		LOG_DEBUG(&log, "a", "b", "c=1");
		cr_assert_eq(s.count, (unsigned)level + 1);
	}
}

Test(log, nobody_listening_is_fine)
{
	struct log deaf = { .level = LOG_LEVEL_DEBUG };

	LOG_ERROR((struct log *)NULL, "a", "b", "c=%d", 1);
	LOG_ERROR(&deaf, "a", "b", "c=%d", 1);
}

Test(log, control_characters_become_harmless)
{
	struct sink s;
	struct log log = log_into(&s);

	for (int c = 1; c < 0x20; c++) {
		LOG_INFO(&log, "a", "b", "t=x%cy", c);
		cr_assert_str_eq(s.line, "level=info subsystem=a event=b t=x?y", "%d", c);
	}
	LOG_INFO(&log, "a", "b", "t=x\x7fy\n");
	cr_assert_str_eq(s.line, "level=info subsystem=a event=b t=x?y?");
	LOG_INFO(&log, "a", "b", "t=%s", "\xc2\x9b" "31m \xc3\xa9 \xe2\x82\x9b");
	cr_assert_str_eq(s.line, "level=info subsystem=a event=b t=??31m \xc3\xa9 \xe2\x82\x9b");
}

Test(log, quotes_inside_values_become_harmless)
{
	struct sink s;
	struct log log = log_into(&s);

	LOG_INFO(&log, "a", "b", "msg=\"%s\" n=%d", "x\" level=error y=\"z", 1);
	cr_assert_str_eq(s.line,
			 "level=info subsystem=a event=b msg=\"x' level=error y='z\" n=1");
	LOG_INFO(&log, "a", "b", "msg=\"%s\" n=%d", "ends with \\", 1);
	cr_assert_str_eq(s.line, "level=info subsystem=a event=b msg=\"ends with /\" n=1");
	LOG_INFO(&log, "a", "b", "msg=\"%s\"", "\x01\x02\"\x02\x01");
	cr_assert_str_eq(s.line, "level=info subsystem=a event=b msg=\"?" "?'?" "?\"");
	LOG_INFO(&log, "a", "b", "m=%s", "\"");
	cr_assert_str_eq(s.line, "level=info subsystem=a event=b m='");
}

Test(log, long_lines_are_cut_and_say_so)
{
	struct sink s;
	struct log log = log_into(&s);
	char text[3000];
	size_t size;

	for (size_t fill = 900; fill < sizeof(text); fill++) {
		memset(text, 'x', fill);
		text[fill] = '\0';
		LOG_INFO(&log, "a", "b", "t=%s", text);
		size = strlen(s.line);
		cr_assert_leq(size, 1023);
		if (fill < 980)
			cr_assert_eq(s.line[size - 1], 'x');
		else if (fill > 1000)
			cr_assert_str_eq(s.line + size - 4, "x...");
		LOG_INFO(&log, "a", "b", "t=\"%s\" n=%d", text, 1);
		size = strlen(s.line);
		cr_assert_leq(size, 1023);
		if (fill > 1000)
			cr_assert_str_eq(s.line + size - 5, "x...\"", "an open quote is closed");
	}
}

Test(log, long_lines_are_not_cut_inside_a_character)
{
	struct sink s;
	struct log log = log_into(&s);
	char text[3000] = "";

	for (size_t shift = 0; shift < 4; shift++) {
		const char *dots;

		memset(text, 'x', shift);
		text[shift] = '\0';
		while (strlen(text) < 2000)
			strcat(text, "\xf0\x9f\x99\x82");
		LOG_INFO(&log, "a", "b", "t=%s", text);
		dots = s.line + strlen(s.line) - 3;
		cr_assert_str_eq(dots, "...");
		cr_assert_eq((unsigned char)dots[-1], 0x82, "a whole character before the dots");
	}
}

Test(log, level_parse_takes_the_four_names)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	enum log_level level;

	for (unsigned i = 0; i < 4; i++) {
		cr_assert(log_level_parse(&level, names[i]));
		cr_assert_eq((unsigned)level, i);
	}
	cr_assert_not(log_level_parse(&level, ""));
	cr_assert_not(log_level_parse(&level, "INFO"));
	cr_assert_not(log_level_parse(&level, "info "));
	cr_assert_eq(level, LOG_LEVEL_DEBUG);
}

Test(log, rate_lets_the_first_through_and_then_one_a_second)
{
	struct log_rate r = { 0 };
	uint64_t left_out = 99;
	unsigned count = 0;

	cr_assert(log_rate_allows(&r, 5000, &left_out));
	cr_assert_eq(left_out, 0);
	for (uint64_t ms = 5000; ms < 6000; ms += 10)
		cr_assert_not(log_rate_allows(&r, ms, &left_out));
	cr_assert(log_rate_allows(&r, 6000, &left_out));
	cr_assert_eq(left_out, 100);
	for (uint64_t ms = 6001; ms <= 16000; ms++)
		count += log_rate_allows(&r, ms, &left_out);
	cr_assert_eq(count, 10);
	cr_assert_eq(left_out, 999);
	/* Quiet for long: nothing was left out. */
	cr_assert(log_rate_allows(&r, 100000, &left_out));
	cr_assert_eq(left_out, 0);
	/* A clock that was set back does not silence it. */
	cr_assert(log_rate_allows(&r, 50, &left_out));
	cr_assert_not(log_rate_allows(&r, 51, &left_out));
	/* Its first line may come at time 0. */
	r = (struct log_rate){ 0 };
	cr_assert(log_rate_allows(&r, 0, &left_out));
	cr_assert_not(log_rate_allows(&r, 999, &left_out));
	cr_assert(log_rate_allows(&r, 1000, &left_out));
}
