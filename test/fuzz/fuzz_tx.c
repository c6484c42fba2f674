/*
 * What tx_decode() takes, the same fields encode to again: signed bytes are
 * rebuilt from the fields, and its access list and authorizations walk to the counts
 * it gave.
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
	"04f9015d0181c88007830c2a5e94c0de00000000000000000000000000000000000380b860e70c6217d03eca"
	"a8006115e0397149f19b1999236305df096ff97af9c82af9e42394456fc1b7e46e3d158c025d8c9da62db992"
	"85aae0aec1faac7753775e8f1b421d8db094b42412cf83272a547f0522a9e84d152c1e302c889d93aaf1154d"
	"13f838f794c0de000000000000000000000000000000000003e1a00000000000000000000000000000000000"
	"000000000000000000000000000003f85df85b0194000000000000000000000000000000000000000781c901"
	"a0ce6002c797e398a063637e1a92dfdddb5398c2f2697af2921717de4a65a0f074a03404c85c8fb2f4229785"
	"f3ec80690e2b8ddeb1379ac22941633e188132af9f9780a069d41b0bd7e66b353a6cb4f8cfdcb8c80950531b"
	"5085e90e9ed0ecb558aff767a00b6e3338fc4b58dddb580539ca9618559d40d152b0d3389af1424d731ae411"
	"12",
	"04f9017e018006843b9aca00834986b994c0de0000000000000000000000000000000000008080c0f90114f8"
	"5a01949eb99c4ff00e6042cad1620a2c1e148ca35fdc6b8080a0873a7eef058028943ca1d10f5958b0ca324f"
	"4326dd52e5cd1143847733190ca1a02502d532ddf272e5a53585ab2f94523ea17efcdb80ff56adb715f9699a"
	"6f7c8af85a019400000000000000000000000000000000000000058080a053cfbfe997a0ce639e5b82e016d4"
	"5cd5d6828e32af0a1c60a6e9580cbc96ab1ea065efd5404f94d8bb30f330be49a180006dee40f23bb3a5612b"
	"258ea3aa5dbae2f85a0194c0de0000000000000000000000000000000000000201a05208e3a20bc7e2c7f0d3"
	"1abcb1898761be1b62cfe57adf47ddf456c5c8938245a061c9bf8b03b4b6abe10891983a69f29121f51ecb07"
	"98a31d0f51fffe5aa1f3ee01a0f4ae341fbb7a06c3cb05892a42fb6cbf8cbc570dacb77a61d37b610bdd23cc"
	"0ca07420955b4ab4fa5184fa334d203a4e53ba9e442c7460abd5208c7b124f86517b",
	NULL,
};

/* The authorizations (EIP-7702) from their fields. */
static void put_authorizations(struct buf *out, const struct tx *t)
{
	struct bytes rest = t->authorizations;
	struct authorization a;
	size_t list = rlp_list_open(out), count = 0;

	while (tx_authorization_next(&rest, &a)) {
		size_t item = rlp_list_open(out);

		rlp_put_u256(out, &a.chain_id);
		rlp_put_addr(out, &a.address);
		rlp_put_u64(out, a.nonce);
		rlp_put_u256(out, &a.y_parity);
		rlp_put_u256(out, &a.r);
		rlp_put_u256(out, &a.s);
		rlp_list_close(out, item);
		count++;
	}
	rlp_list_close(out, list);
	CHECK(count == t->authorization_count && count > 0);
}

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
	if (t->type == TX_DYNAMIC_FEE || t->type == TX_SET_CODE)
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
	if (t->type == TX_SET_CODE)
		put_authorizations(out, t);
	rlp_put_u64(out, v);
	rlp_put_u256(out, &r);
	rlp_put_u256(out, &s);
	rlp_list_close(out, list);
}

/* Who authorized is found or not, and every time the same. */
static void find_signers(const struct tx *t)
{
	static const uint8_t seed[32] = { 1 };
	struct bytes rest = t->authorizations;
	struct ecc *ecc = t->authorization_count ? ecc_new(seed) : NULL;
	struct authorization a;
	struct addr one, two;

	while (tx_authorization_next(&rest, &a)) {
		int rc = tx_authorization_signer(&one, ecc, &a, NULL);

		CHECK(tx_authorization_signer(&two, ecc, &a, NULL) == rc);
		CHECK(rc != OK || (addr_equal(&one, &two) && u256_fits_u64(&a.y_parity) && a.y_parity.limbs[0] <= 1));
	}
	ecc_free(ecc);
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
	find_signers(t);
	tx_signing_hash(t, &digest);
	if (tx_check(t, &params, &err) == OK)
		CHECK(t->gas_limit >= tx_intrinsic_gas(t, REVISION_OSAKA));
	buf_clear(&again);
	tx_unref(t);
	return 0;
}
