/*
 * What tx_decode() takes, the same fields encode to again: signed bytes are
 * rebuilt from the fields, and its access list walks to the counts it gave.
 */
#include "fuzz.h"

#include "base/check.h"
#include "chain/tx.h"
#include "codec/rlp.h"
const char *const fuzz_seeds[] = {
	"f86b038477359403830186a394d4c69e49e83a6047f46e42b2d053a1f0c6e70ea4820bb883d4c69e82f4f5a0"
	"ea77f9502dbc3156382fcf489af455f2e62d8bd398cb6f168934f7f4ac78a109a065ddffdd5b8464413ad67d"
	"85f1a3949fe9a66e41a18c9b6d1f1e6fcd954e92c0",
	"01f8e0827a69038477359403830186a394d4c69e49e83a6047f46e42b2d053a1f0c6e70ea4820bb883d4c69e"
	"f872f85994095e7baea6a6c7c4c2dfeb977efac326af552d87f842a000000000000000000000000000000000"
	"00000000000000000000000000000001a0ffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	"ffffffffffd694195e7baea6a6c7c4c2dfeb977efac326af552d87c080a0a47afcf6936839d42d577402b50f"
	"85097b8a0972bde9299e4d760cec6bbbca35a04263f784b3b81fb977fc0d23f08db4e93df439d743e4eee975"
	"52e5a32479049f",
	"02f8e5827a6903843b9aca038477359403830186a394d4c69e49e83a6047f46e42b2d053a1f0c6e70ea4820b"
	"b883d4c69ef872f85994095e7baea6a6c7c4c2dfeb977efac326af552d87f842a00000000000000000000000"
	"000000000000000000000000000000000000000001a0ffffffffffffffffffffffffffffffffffffffffffff"
	"ffffffffffffffffffffd694195e7baea6a6c7c4c2dfeb977efac326af552d87c001a0f306f80d47410b93ac"
	"8f44f4b2916d13b299d75ffc627b98c984b473de049baea058065786a7b13169920727f21ca7e90ebee13f69"
	"d8f0a2786dacc241c8c948f3",
	NULL,
};

/* The envelope from the fields: as tx.c writes it, in other words. */
static void rebuild(struct buf *out, const struct tx *t)
{
	struct u256 r = u256_from_be(bytes_of(t->sig.r, 32)), s = u256_from_be(bytes_of(t->sig.s, 32));
	uint64_t v = t->sig.recovery_id;
	size_t list, access;

	if (t->type != TX_LEGACY)
		buf_append_byte(out, (uint8_t)t->type);
	list = rlp_list_open(out);
	if (t->type != TX_LEGACY)
		rlp_put_u64(out, t->chain_id);
	rlp_put_u64(out, t->nonce);
	if (t->type == TX_DYNAMIC_FEE)
		rlp_put_u256(out, &t->max_priority_fee.n);
	rlp_put_u256(out, &t->max_fee.n);
	rlp_put_u64(out, t->gas_limit);
	rlp_put_bytes(out, bytes_of(t->to.bytes, t->is_create ? 0 : 20));
	rlp_put_u256(out, &t->value.n);
	rlp_put_bytes(out, t->data);
	if (t->type == TX_LEGACY) {
		v += t->has_chain_id ? 35 + 2 * t->chain_id : 27;
	} else {
		access = rlp_list_open(out);
		buf_append_bytes(out, t->access_list);
		rlp_list_close(out, access);
	}
	rlp_put_u64(out, v);
	rlp_put_u256(out, &r);
	rlp_put_u256(out, &s);
	rlp_list_close(out, list);
}

static void walk(const struct tx *t)
{
	size_t addresses = 0, slots = 0, count;
	struct bytes rest = t->access_list, slot_bytes;
	struct addr address;

	while (tx_access_next(&rest, &address, &slot_bytes, &count)) {
		addresses++;
		slots += count;
		CHECK(slot_bytes.size == count * 33);
	}
	CHECK(addresses == t->access_addr_count && slots == t->access_slot_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct chain_params params = { .chain_id = 1, .revision = REVISION_OSAKA };
	struct err err = { 0 };
	struct buf again = { 0 };
	struct tx *t = NULL;
	struct hash digest;

	if (tx_decode(&t, bytes_of(data, size), LIMIT_TX_SIZE, &err) != OK) {
		CHECK(err.code >= CHAIN_E_TX_TYPE && err.code <= CHAIN_E_TX_SIZE && !t);
		return 0;
	}
	rebuild(&again, t);
	CHECK(bytes_equal(buf_bytes(&again), bytes_of(data, size)));
	walk(t);
	tx_signing_hash(t, &digest);
	if (tx_check(t, &params, &err) == OK)
		CHECK(t->gas_limit >= tx_intrinsic_gas(t, REVISION_OSAKA));
	buf_clear(&again);
	tx_unref(t);
	return 0;
}
