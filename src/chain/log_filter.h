/*
 * log_filter - which logs somebody wants, as a value: addresses, and topics by their place.
 *
 *   addresses   [A, B]              A or B
 *   topics      [[T], [], [X, Y]]   T, and anything, and X or Y; a log with fewer topics than
 *                                   the filter has places is not wanted (as geth)
 */
#ifndef WEFT_CHAIN_LOG_FILTER_H
#define WEFT_CHAIN_LOG_FILTER_H

#include "chain/receipt.h"

/* Addresses and topics of one filter, in all. */
#define LOG_FILTER_TERM_MAX 1024

struct log_filter {
	struct addr *addresses;      /* one of them; none: any */
	size_t address_count;
	struct log_filter_place {
		struct hash *any;    /* one of them; none: any */
		size_t count;
	} places[LOG_TOPIC_MAX];
	size_t place_count;          /* of topics */
};

/* Addresses and topics must be sorted for log_filter_matches(): this sorts them, and
 * leaves out what stands there twice. */
void log_filter_sort(struct log_filter *f);

void log_filter_clear(struct log_filter *f);
void log_filter_copy(struct log_filter *out, const struct log_filter *f);

/* How many addresses and topics it names; 0: no index can help. */
size_t log_filter_term_count(const struct log_filter *f);

/* `f` is sorted. Cost: halving in each list. */
bool log_filter_matches(const struct log_filter *f, const struct log_entry *log);

/* True if one log of the receipt matches. */
bool log_filter_matches_any(const struct log_filter *f, const struct receipt *r);

#endif
