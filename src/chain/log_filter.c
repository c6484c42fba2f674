#include "chain/log_filter.h"

#include <stdlib.h>

#include "base/check.h"

static int compare_addrs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct addr));
}

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash));
}

/* Gives the count of what is left. */
static size_t sort_distinct(void *items, size_t count, size_t size,
			    int (*compare)(const void *a, const void *b))
{
	uint8_t *at = items;
	size_t kept = 0;

	if (count == 0)
		return 0;
	qsort(items, count, size, compare);
	for (size_t i = 1; i < count; i++)
		if (compare(at + kept * size, at + i * size) != 0)
			memmove(at + ++kept * size, at + i * size, size);
	return kept + 1;
}

void log_filter_sort(struct log_filter *f)
{
	f->address_count = sort_distinct(f->addresses, f->address_count, sizeof(struct addr),
					 compare_addrs);
	for (size_t i = 0; i < f->place_count; i++)
		f->places[i].count = sort_distinct(f->places[i].any, f->places[i].count,
						   sizeof(struct hash), compare_hashes);
}

void log_filter_clear(struct log_filter *f)
{
	free(f->addresses);
	for (size_t i = 0; i < LOG_TOPIC_MAX; i++)
		free(f->places[i].any);
	*f = (struct log_filter){ 0 };
}

static void *copy_of(const void *items, size_t count, size_t size)
{
	void *copy;

	if (count == 0)
		return NULL;
	copy = xcalloc(count, size);
	memcpy(copy, items, count * size);
	return copy;
}

void log_filter_copy(struct log_filter *out, const struct log_filter *f)
{
	*out = *f;
	out->addresses = copy_of(f->addresses, f->address_count, sizeof(struct addr));
	for (size_t i = 0; i < LOG_TOPIC_MAX; i++)
		out->places[i].any =
			copy_of(f->places[i].any, f->places[i].count, sizeof(struct hash));
}

size_t log_filter_term_count(const struct log_filter *f)
{
	size_t count = f->address_count;

	for (size_t i = 0; i < f->place_count; i++)
		count += f->places[i].count;
	return count;
}

bool log_filter_matches(const struct log_filter *f, const struct log_entry *log)
{
	if (log->topic_count < f->place_count)
		return false;
	if (f->address_count && !bsearch(&log->address, f->addresses, f->address_count,
					 sizeof(struct addr), compare_addrs))
		return false;
	for (size_t i = 0; i < f->place_count; i++)
		if (f->places[i].count &&
		    !bsearch(&log->topics[i], f->places[i].any, f->places[i].count,
			     sizeof(struct hash), compare_hashes))
			return false;
	return true;
}

bool log_filter_matches_any(const struct log_filter *f, const struct receipt *r)
{
	for (size_t i = 0; i < r->log_count; i++)
		if (log_filter_matches(f, &r->logs[i]))
			return true;
	return false;
}
