/*
 * A part of the twins' scenarios, spread over all of them; speaks TAP. The whole of
 * them is weft-sim --twins. WEFT_TWINS (default 4000) scenarios of four views, of each kind.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/twins.h"

static void say(void *ctx, const char *line)
{
	(void)ctx;
	printf("# %s\n", line);
}

static void run(int number, const char *what, struct twins_options options, struct twins_report *sum)
{
	bool ok;

	options.say = say;
	sum->next = 0;
	ok = twins_run(&options, sum);
	printf("%s %d - %s, each %" PRIu64 ". of %" PRIu64 "\n", ok ? "ok" : "not ok", number, what,
	       options.stride ? options.stride : 1, sum->total);
}

int main(void)
{
	const char *text = getenv("WEFT_TWINS");
	uint64_t wanted = text && *text ? strtoull(text, NULL, 10) : 4000;
	uint64_t all = twins_count(&(struct twins_options){ 0 });
	uint64_t stride = wanted && wanted < all ? all / wanted : 1;
	struct twins_report sum = { 0 };
	bool any_silent = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..9\n");
	run(1, "two views, cut between views", (struct twins_options){ .views = 2 }, &sum);
	run(2, "two views, cut before the commits",
	    (struct twins_options){ .views = 2, .cut = TWINS_CUT_VOTES }, &sum);
	run(3, "two views, cut at both", (struct twins_options){ .views = 2, .cut = TWINS_CUT_BOTH, .stride = 23 },
	    &sum);
	for (size_t twin = 0; twin < 2; twin++) {
		run((int)(4 + 2 * twin), "four views, cut between views",
		    (struct twins_options){ .twin = twin * 2, .stride = stride }, &sum);
		run((int)(5 + 2 * twin), "four views, cut before the commits",
		    (struct twins_options){ .twin = twin * 2, .cut = TWINS_CUT_VOTES, .stride = stride, .first = twin },
		    &sum);
	}
	run(8, "three views, cut at both",
	    (struct twins_options){ .views = 3, .cut = TWINS_CUT_BOTH, .stride = stride * 100, .twin = 3 }, &sum);
	for (size_t i = 0; i < TWINS_COUNTER_COUNT; i++) {
		printf("# %10" PRIu64 "  %s\n", sum.counts[i], twins_counter_text((enum twins_counter)i));
		any_silent |= sum.counts[i] == 0;
	}
	printf("%s 9 - %" PRIu64 " scenarios had all of it\n", any_silent ? "not ok" : "ok", sum.checked);
	return EXIT_SUCCESS;
}
