/*
 * Evidence as peers send it: rlp([first, second]). What reads as evidence names one position, whichever
 * comes first; what checks was read; nothing checks that its validator has not signed twice.
 */
#include "fuzz.h"

#include "base/check.h"
#include "chain/decode.h"
#include "consensus/consensus.h"

/* A signature names its signer in its first byte: the seeds need no real keys. */
static bool verify(void *ctx, const struct signature *sig, const struct hash *digest, const struct addr *signer)
{
	(void)ctx;
	(void)digest;
	return sig->r[0] == signer->bytes[0];
}

/* r, s, recovery id. */
#define SIG_1 "b841" "0100000000000000000000000000000000000000000000000000000000000000" \
	      "0000000000000000000000000000000000000000000000000000000000000001" "00"
#define HASH_A "a0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "a0bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define VOTE(kind, hash) "f868" kind "050180" SIG_1 hash

const char *const fuzz_seeds[] = {
	"f8d4" VOTE("01", HASH_A) VOTE("01", HASH_B), /* pre-prepare */
	"f8d4" VOTE("02", HASH_A) VOTE("02", HASH_B),
	"f8d4" VOTE("03", HASH_A) VOTE("03", HASH_B),
	"f8d4" VOTE("02", HASH_A) VOTE("02", HASH_A), /* the same twice */
	"f8d4" VOTE("02", HASH_A) VOTE("03", HASH_B), /* two positions */
	/* view-changes: without a claim, with one */
	"f8b6f84804050180" SIG_1 "c0" "f86a04050180" SIG_1 "e280" HASH_A,
	/* checkpoints have no view */
	"f8d4f86805058080" SIG_1 HASH_A "f86805058080" SIG_1 HASH_B,
	"c0", "c28080", "c2c0c0", "f8d4",
	NULL,
};

static void make_set(struct validator_set *out)
{
	struct validator members[4] = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		members[i].address.bytes[0] = (uint8_t)(i + 1);
		members[i].weight.n = 1;
	}
	CHECK(validator_set_init(out, members, ARRAY_COUNT(members), NULL) == OK);
}

static bool same(const struct consensus_evidence *a, const struct consensus_evidence *b)
{
	return a->height == b->height && a->view == b->view && a->kind == b->kind && a->validator == b->validator;
}

static void take(struct bytes first, struct bytes second)
{
	const struct consensus_config config = { .chain_id = 1, .verify = verify };
	struct consensus_evidence at = { 0 }, other = { 0 };
	struct validator_set set;
	struct err err = { 0 };
	int code = consensus_read_evidence(first, second, &at, &err);

	make_set(&set);
	CHECK(code == OK || code == CONSENSUS_E_EVIDENCE);
	CHECK((consensus_read_evidence(second, first, &other, NULL) == OK) == (code == OK));
	if (code != OK) {
		CHECK(consensus_check_evidence(&config, &set, first, second, &other, NULL) != OK);
		return;
	}
	CHECK(same(&at, &other));
	CHECK(at.kind >= MESSAGE_PRE_PREPARE && at.kind <= CONSENSUS_KIND_CHECKPOINT);
	CHECK(at.kind != CONSENSUS_KIND_CHECKPOINT || at.view == 0);
	CHECK(!bytes_equal(first, second));
	if (consensus_check_evidence(&config, &set, first, second, &other, NULL) == OK)
		CHECK(same(&at, &other) && at.validator < set.count);
	/* One statement twice is never evidence. */
	CHECK(consensus_read_evidence(first, first, &other, NULL) == CONSENSUS_E_EVIDENCE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoder d = { .what = "evidence", .code = CONSENSUS_E_EVIDENCE };
	struct bytes input = bytes_of(data, size), first = { 0 }, second = { 0 };
	struct rlp_reader r;

	decode_top(&d, &r, input);
	decode_raw(&d, &r, "first", &first);
	decode_raw(&d, &r, "second", &second);
	decode_end(&d, &r);
	if (d.status == OK)
		take(first, second);
	/* And cut in two anywhere. */
	if (size > 1)
		take(bytes_of(data, data[0] % size), bytes_of(data + data[0] % size, size - data[0] % size));
	return 0;
}
