/* 4byteTracer: which selectors were called with how much data behind them; noopTracer. */
#include "rpc/trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "vm/precompiles.h"

struct four_key {
	uint8_t selector[4];
	uint8_t size[8];             /* big-endian, so that keys sort by it */
};

struct four_trace {
	struct trace base;
	struct map counts;           /* struct four_key -> uint64_t */
	bool is_made;
};

/* `"0x27dc297e-128":1,` */
#define ENTRY_SIZE 40

static void four_begin(struct trace *base)
{
	struct four_trace *t = (struct four_trace *)base;

	if (t->is_made)
		map_reset(&t->counts);
	else
		map_init(&t->counts, sizeof(struct four_key), sizeof(uint64_t), base->run->state->seed);
	t->is_made = true;
}

static void four_enter(struct trace *base, const struct vm_message *m, uint64_t gas_left)
{
	struct four_trace *t = (struct four_trace *)base;
	struct addr callee = trace_callee(base, m);
	struct four_key key;
	uint16_t number;
	bool added;

	(void)gas_left;
	if (vm_is_creation(m->kind) || m->input.size < 4 ||
	    precompile_at(&callee, rpc_item_info(base->item)->params->revision, &number) ||
	    !trace_room(base, t->counts.count * ENTRY_SIZE))
		return;
	memcpy(key.selector, m->input.data, sizeof(key.selector));
	store_be64(key.size, m->input.size - 4);
	++*(uint64_t *)map_put(&t->counts, &key, &added);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void four_end(struct trace *base, uint64_t gas_limit, uint64_t gas_used)
{
	struct four_trace *t = (struct four_trace *)base;
	struct four_entry {
		char text[32];
		uint64_t count;
	} *entries = xcalloc(t->counts.count, sizeof(*entries));
	size_t count = 0;
	const void *key;
	void *value;

	(void)gas_limit;
	(void)gas_used;
	for (size_t cursor = 0; map_next(&t->counts, &cursor, &key, &value); count++) {
		const struct four_key *k = key;

		snprintf(entries[count].text, sizeof(entries[count].text), "0x%08x-%llu",
			 load_be32(k->selector), (unsigned long long)load_be64(k->size));
		entries[count].count = *(const uint64_t *)value;
	}
	if (count)
		qsort(entries, count, sizeof(*entries), compare_texts);
	jout_object(base->out);
	for (size_t i = 0; i < count; i++) {
		jout_key(base->out, entries[i].text);
		jout_unsigned(base->out, entries[i].count);
	}
	jout_object_end(base->out);
	free(entries);
}

static void four_clear(struct trace *base)
{
	struct four_trace *t = (struct four_trace *)base;

	if (t->is_made)
		map_clear(&t->counts);
}

const struct trace_ops trace_four_ops = {
	.size = sizeof(struct four_trace),
	.begin = four_begin,
	.end = four_end,
	.clear = four_clear,
	.enter = four_enter,
};

static void noop_end(struct trace *base, uint64_t gas_limit, uint64_t gas_used)
{
	(void)gas_limit;
	(void)gas_used;
	jout_object(base->out);
	jout_object_end(base->out);
}

const struct trace_ops trace_noop_ops = { .size = sizeof(struct trace), .end = noop_end };
