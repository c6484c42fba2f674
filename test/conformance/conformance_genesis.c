/*
 * conformance_genesis - ethereum/tests BasicTests about blocks: Ethereum's own
 * genesis hash over its bytes, and a line for each file about proof of work,
 * which does not exist here.
 */
#include "base/check.h"
#include "base/limits.h"
#include "chain/header.h"
#include "codec/hex.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "json/json.h"
#include "tap.h"

#define FILE_SIZE_MAX (16 * MIB)

/* Files whose cases have no meaning on a chain without proof of work. */
static const struct {
	const char *file;
	unsigned case_count;
	const char *reason;
} not_applicable[] = {
	{ "blockgenesistest.json", 3, "blocks of an early draft, 13 header fields" },
	{ "difficulty.json", 14, "proof of work" },
	{ "difficultyCustomHomestead.json", 120, "proof of work" },
	{ "difficultyCustomMainNetwork.json", 360, "proof of work" },
	{ "difficultyMainNetwork.json", 2254, "proof of work" },
	{ "difficultyRopsten.json", 2254, "proof of work" },
};

/* The block is [header, [], []]; its hash is that of the header's bytes. */
static void run_genesis_hash(struct tap *t, const struct jval *root)
{
	struct bytes text = jval_string(jval_get(root, "genesis_rlp_hex")), raw = { 0 };
	struct hash expected, got = { 0 };
	struct rlp_reader top, block;
	struct buf rlp = { 0 };
	struct header h;

	buf_extend(&rlp, text.size / 2);
	CHECK(hex_decode(rlp.data, rlp.size, text));
	CHECK(hex_decode(expected.bytes, 32, jval_string(jval_get(root, "genesis_hash"))));
	rlp_reader_init(&top, buf_bytes(&rlp));
	if (rlp_read_list(&top, &block, NULL) == OK && rlp_read_raw(&block, &raw, NULL) == OK)
		keccak256(&got, raw);
	tap_case(t, hash_equal(&got, &expected), "genesishashestest: hash of the header's bytes");
	tap_case(t, header_decode(&h, raw, NULL) != OK,
		 "genesishashestest: a header of proof of work is refused");
	buf_clear(&rlp);
}

int main(void)
{
	char path[TAP_PATH_SIZE];
	struct tap t = { 0 };
	struct buf text = { 0 };
	struct jval *root = NULL;

	if (tap_data(&t, path, "ethereum-tests/BasicTests/genesishashestest.json", 2)) {
		if (tap_read(&text, path, FILE_SIZE_MAX) &&
		    jval_parse(&root, buf_bytes(&text), NULL) == OK)
			run_genesis_hash(&t, root);
		else
			tap_case(&t, false, "%s can be read", path);
	}
	for (size_t i = 0; i < ARRAY_COUNT(not_applicable); i++)
		tap_not_applicable(&t, not_applicable[i].reason, "%s (%u cases)",
				   not_applicable[i].file, not_applicable[i].case_count);
	jval_free(root);
	buf_clear(&text);
	return tap_done(&t);
}
