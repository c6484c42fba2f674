/* ordered_root() against a trie written a second time, plainly: keys are put in
 * one by one, every node is encoded and hashed by itself. */
#include "fixture.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/rand.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

struct plain_entry {
	uint8_t nibbles[32];
	size_t count;
	struct bytes value;
};

static void plain_path(struct buf *out, const uint8_t *nibbles, size_t count, bool is_leaf)
{
	struct buf path = { 0 };

	buf_append_byte(&path, (uint8_t)((is_leaf ? 0x20 : 0) |
					 (count % 2 ? 0x10 | nibbles[0] : 0)));
	for (size_t i = count % 2; i < count; i += 2)
		buf_append_byte(&path, (uint8_t)(nibbles[i] * 16 + nibbles[i + 1]));
	rlp_put_bytes(out, buf_bytes(&path));
	buf_clear(&path);
}

/* The RLP of the node over `entries`, which agree in the first `depth` nibbles. */
static struct buf plain_node(struct plain_entry *entries[], size_t count, size_t depth)
{
	struct buf out = { 0 };
	size_t list = rlp_list_open(&out), same = depth;

	while (count > 1) {
		for (size_t i = 1; i < count; i++)
			if (entries[i]->nibbles[same] != entries[0]->nibbles[same])
				goto parted;
		same++;
	}
parted:
	if (count == 1) {
		plain_path(&out, entries[0]->nibbles + depth, entries[0]->count - depth, true);
		rlp_put_bytes(&out, entries[0]->value);
	} else {
		struct plain_entry **group = malloc(count * sizeof(*group));

		if (same > depth)
			plain_path(&out, entries[0]->nibbles + depth, same - depth, false);
		for (unsigned nibble = 0; nibble < (same > depth ? 1 : 16); nibble++) {
			size_t members = 0;
			struct buf child = { 0 };
			struct hash h;

			for (size_t i = 0; i < count; i++)
				if (same > depth || entries[i]->nibbles[depth] == nibble)
					group[members++] = entries[i];
			if (members)
				child = plain_node(group, members, same > depth ? same : depth + 1);
			keccak256(&h, buf_bytes(&child));
			if (!members)
				rlp_put_bytes(&out, bytes_of(NULL, 0));
			else if (child.size < 32)
				buf_append_bytes(&out, buf_bytes(&child));
			else
				rlp_put_hash(&out, &h);
			buf_clear(&child);
		}
		if (same == depth)
			rlp_put_bytes(&out, bytes_of(NULL, 0));
		free(group);
	}
	rlp_list_close(&out, list);
	return out;
}

static void plain_root(struct hash *out, const struct bytes values[], size_t count)
{
	struct plain_entry *entries = calloc(count, sizeof(*entries));
	struct plain_entry **all = malloc(count * sizeof(*all));
	struct buf root;

	for (size_t i = 0; i < count; i++) {
		struct buf key = { 0 };

		rlp_put_u64(&key, i);
		for (size_t j = 0; j < key.size; j++) {
			entries[i].nibbles[entries[i].count++] = key.data[j] >> 4;
			entries[i].nibbles[entries[i].count++] = key.data[j] & 15;
		}
		buf_clear(&key);
		entries[i].value = values[i];
		all[i] = &entries[i];
	}
	root = plain_node(all, count, 0);
	keccak256(out, buf_bytes(&root));
	buf_clear(&root);
	free(all);
	free(entries);
}

/* `count` values of 1 to `size_max` bytes. */
static void compare(size_t count, size_t size_max, uint64_t seed)
{
	struct bytes *values = malloc((count + 1) * sizeof(*values));
	uint8_t *bytes = malloc(count * size_max + 1);
	struct hash got, want;
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t i = 0; i < count * size_max; i++)
		bytes[i] = (uint8_t)rng_next(&rng);
	for (size_t i = 0; i < count; i++)
		values[i] = bytes_of(bytes + i * size_max, 1 + rng_below(&rng, size_max));
	ordered_root(&got, values, count);
	plain_root(&want, values, count);
	cr_assert(hash_equal(&got, &want), "%zu values of up to %zu bytes", count, size_max);
	free(bytes);
	free(values);
}

Test(ordered_trie, root_of_nothing_is_the_empty_tries)
{
	struct hash got;

	ordered_root(&got, NULL, 0);
	cr_assert(hash_equal(&got, &header_empty_trie_root));
}

Test(ordered_trie, root_equals_the_plain_tries_for_every_small_count)
{
	for (size_t count = 1; count <= 300; count++)
		compare(count, 120, count);
}

Test(ordered_trie, root_equals_the_plain_tries_with_embedded_nodes)
{
	for (size_t count = 1; count <= 300; count++)
		compare(count, 1 + count % 30, 1000 + count);
}

Test(ordered_trie, root_equals_the_plain_tries_where_keys_grow)
{
	compare(1000, 120, 1);
	compare(10000, 120, 2);
	compare(65535, 4, 3);
	compare(65536, 4, 4);
	compare(65537, 4, 5);
	compare(70000, 40, 6);
}

Test(ordered_trie, root_takes_long_values)
{
	compare(3, 70000, 7);
	compare(20, 300000, 8);
}
