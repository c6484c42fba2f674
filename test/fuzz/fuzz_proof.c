/*
 * A proof of any bytes, and a record of any bytes under its true hash: refused,
 * or it gives a value inside itself; whatever decodes as a node, encodes to the
 * same bytes.
 *
 * The input: 1 byte of position, then the nodes, each after 2 bytes of size.
 */
#include "fuzz.h"

#include "base/check.h"
#include "crypto/keccak.h"
#include "state/trie.h"

#define NODE_COUNT_MAX 8

const char *const fuzz_seeds[] = {
	/* A leaf of the zero key at the root; the empty trie; branches of two leaves. */
	"00 0024 e3 a1 20 0000000000000000000000000000000000000000000000000000000000000000 05",
	"00 0001 80",
	"3f 0016 d5 c22005 c22006 8080808080808080808080808080 80",
	"3e 0016 d5 c23005 c23006 8080808080808080808080808080 80",
	/* The branch behind an extension. */
	"3e 0018 d7 10 d5 c22005 c22006 8080808080808080808080808080 80",
	"00 0033 f0 80808080 a0 0102030405060708010203040506070801020304050607080102030405060708"
	"80808080808080808080", "", NULL,
};

/* Decodes a record at a position; what decodes, is checked by encoding it. */
static void check_decoding(unsigned at, struct bytes rlp)
{
	struct node_pool pool = { 0 };
	struct extension extension;
	uint8_t again[NODE_RLP_MAX];
	struct hash key = { 0 };
	struct node_ref ref = { 0 };

	if (trie_node_decode(&pool, &ref.node, &extension, &key, at, rlp, NULL) == OK) {
		if (ref.node)
			CHECK(bytes_equal(rlp, bytes_of(again, trie_node_encode(again, ref.node, at, NULL, NULL))));
		else
			CHECK(extension.depth > at && extension.depth < NODE_KEY_NIBBLES);
	}
	trie_node_free_all(&pool, &ref);
	CHECK(pool.memory == 0);
	pool_clear(&pool);
}

static void check_proof(const struct bytes nodes[], size_t count)
{
	struct hash key = { 0 }, root = account_empty.storage_root;
	struct bytes value;
	struct err err = { 0 };

	if (count)
		keccak256(&root, nodes[0]);
	if (tree_proof_check(&root, &key, nodes, count, &value, &err) != OK) {
		CHECK(err.code == STATE_E_PROOF);
		return;
	}
	if (value.size)
		CHECK(value.data > nodes[count - 1].data &&
		      value.data + value.size <= nodes[count - 1].data + nodes[count - 1].size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes nodes[NODE_COUNT_MAX];
	unsigned at = size ? data[0] % (NODE_KEY_NIBBLES + 1) : 0;
	size_t count = 0, offset = 1;

	while (count < NODE_COUNT_MAX && offset + 2 <= size) {
		size_t wanted = (size_t)data[offset] << 8 | data[offset + 1];

		offset += 2;
		wanted = MIN(wanted, size - offset);
		nodes[count++] = bytes_of(data + offset, wanted);
		offset += wanted;
	}
	check_proof(nodes, count);
	for (size_t i = 0; i < count; i++)
		check_decoding(at, nodes[i]);
	return 0;
}
