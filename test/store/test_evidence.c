/* Evidence survives restarts, crashes included, and rot is left out. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "store/sample.h"
#include "store/scratch.h"
#include "store/store_keys.h"

struct seen {
	size_t count;
	uint64_t heights[16];
	uint8_t ids[16];
	struct buf values;
};

static int note(void *ctx, const struct store_evidence *e, struct err *err)
{
	struct seen *s = ctx;

	(void)err;
	cr_assert_lt(s->count, 16);
	s->heights[s->count] = e->height;
	s->ids[s->count++] = e->id.bytes[0];
	buf_append_bytes(&s->values, e->value);
	return OK;
}

static struct store_evidence of(uint64_t height, uint8_t id, const char *text)
{
	return (struct store_evidence){ height, { { id } }, bytes_of_str(text) };
}

static void expect(struct store *s, const char *ids, const char *values, size_t broken)
{
	struct seen seen = { 0 };
	size_t broken_count;

	cr_assert_eq(store_each_evidence(s, note, &seen, &broken_count, NULL), OK);
	cr_assert_eq(seen.count, strlen(ids));
	for (size_t i = 0; i < seen.count; i++)
		cr_assert_eq(seen.ids[i], (uint8_t)ids[i], "place %zu", i);
	for (size_t i = 1; i < seen.count; i++)
		cr_assert_leq(seen.heights[i - 1], seen.heights[i]);
	cr_assert(bytes_equal(buf_bytes(&seen.values), bytes_of_str(values)));
	cr_assert_eq(broken_count, broken);
	buf_clear(&seen.values);
}

Test(evidence, keeps_and_forgets_over_restarts)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct sample m;
	struct store_evidence first[] = { of(300, 'c', "three"), of(1, 'a', "one"), of(2, 'b', "two") };
	struct store_evidence then[] = { of(2, 'b', ""), of(300, 'd', "four"), of(1, 'a', "uno") };
	struct err err = { 0 };

	scratch_new(top);
	scratch_path(dir, top, "data");
	sample_init(&m, 1, dir);
	cr_assert_eq(store_create(&m.options, &m.genesis, &err), OK, "%s", err.message);
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	expect(m.s, "", "", 0);
	sample_run(&m, 3);
	cr_assert_eq(store_evidence_write(m.s, first, 3, &err), OK);
	expect(m.s, "abc", "onetwothree", 0);
	sample_run(&m, 3);
	/* What the database was not synced with since is cut off on opening. */
	sample_close(&m);
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	cr_assert_eq(m.report.tip_height, 6);
	expect(m.s, "abc", "onetwothree", 0);
	cr_assert_eq(store_evidence_write(m.s, then, 3, &err), OK);
	sample_flush(&m);
	sample_close(&m);
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	expect(m.s, "acd", "unothreefour", 0);
	cr_assert_null(sample_compare_store(&m, 6));
	sample_clear(&m);
	scratch_remove(top);
}

Test(evidence, leaves_out_what_has_rotted)
{
	struct store_evidence items[] = { of(1, 'a', "one"), of(2, 'b', "two"), of(3, 'c', "three") };
	struct store_key key;
	struct kv_batch *batch;
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], chain[SCRATCH_PATH_MAX];
	const struct kv_options options = { .cache_size = 1 << 20 };
	struct kv *kv;
	struct sample m;
	struct err err = { 0 };

	scratch_new(top);
	scratch_path(dir, top, "data");
	sample_init(&m, 1, dir);
	cr_assert_eq(store_create(&m.options, &m.genesis, &err), OK, "%s", err.message);
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	cr_assert_eq(store_evidence_write(m.s, items, 3, &err), OK);
	sample_close(&m);
	scratch_path(chain, dir, "chain");
	cr_assert_eq(kv_open_leveldb(&kv, chain, &options, &err), OK, "%s", err.message);
	batch = kv_batch_new(kv);
	key = key_evidence(2, &items[1].id);
	kv_batch_put(batch, key_bytes(&key), bytes_of_str("xxxxtwo"));
	key = key_evidence(3, &items[2].id);
	kv_batch_put(batch, key_bytes(&key), bytes_of_str("xxxx"));
	key.size--;
	kv_batch_put(batch, key_bytes(&key), bytes_of_str("xxxxthree"));
	cr_assert_eq(kv_write(kv, batch, true, NULL), OK);
	kv_batch_free(batch);
	kv_close(kv);
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	expect(m.s, "a", "one", 3);
	sample_clear(&m);
	scratch_remove(top);
}
