/*
 * weft-bench precompiles - what one call of each contract takes that the machine
 * computes itself, without the call around it. Each input is a good one, whose result
 * is checked before the clock starts.
 */
#include "app/bench.h"

#include "base/check.h"
#include "codec/hex.h"
#include "vm/precompiles.h"

#define P256 0x0100

#define WORD_1 "0000000000000000000000000000000000000000000000000000000000000001"
#define WORD_2 "0000000000000000000000000000000000000000000000000000000000000002"

/* BN254: 2 · G1, -G1, G2; a scalar of 254 bits. */
#define G1 WORD_1 WORD_2
#define G1_TWICE                                                           \
	"030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3" \
	"15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"
#define G1_MINUS WORD_1 "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45"
#define G2                                                                 \
	"198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2" \
	"1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed" \
	"090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b" \
	"12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
#define SCALAR "2babababababababababababababababababababababababababababababababab"

/* RFC 6979, A.2.5: "sample" with SHA-256; digest, r, s, x, y. */
#define P256_INPUT                                                         \
	"af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf" \
	"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" \
	"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8" \
	"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" \
	"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"

/* The example of go-ethereum's documentation of 0x01. */
#define RECOVER_INPUT                                                      \
	"456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3" \
	"000000000000000000000000000000000000000000000000000000000000001c" \
	"9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608" \
	"4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada"

/* A number to its own power, modulo secp256k1's prime. */
#define SIZE_32 "0000000000000000000000000000000000000000000000000000000000000020"
#define MODEXP_INPUT SIZE_32 SIZE_32 SIZE_32 NUMBER NUMBER SECP256K1_P
#define NUMBER "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define SECP256K1_P "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"

static const struct contract {
	const char *name, *input;
	uint16_t number;
	uint8_t output_size;
	uint8_t last; /* byte of the output */
} contracts[] = {
	{ "ecrecover", RECOVER_INPUT, 0x01, 32, 0x8a },
	{ "modexp of 256 bits", MODEXP_INPUT, 0x05, 32, 0 },
	{ "BN254 addition", G1_TWICE G1, 0x06, 64, 0 },
	{ "BN254 multiplication", G1_TWICE SCALAR, 0x07, 64, 0 },
	{ "BN254 pairing of 2", G1 G2 G1_MINUS G2, 0x08, 32, 1 },
	{ "P-256 verification", P256_INPUT, P256, 32, 1 },
};

struct call {
	const struct precompiles *precompiles;
	const struct contract *contract;
	struct buf input;
	struct vm_result result;
};

static void run_call(void *ctx, uint64_t rounds)
{
	struct call *c = ctx;

	while (rounds--) {
		c->result.gas_left = INT64_MAX;
		buf_reset(&c->result.output);
		precompile_run(c->precompiles, c->contract->number, buf_bytes(&c->input), &c->result);
	}
}

static void measure(struct bench_report *r, const struct precompiles *p, const struct contract *t)
{
	struct call c = { .precompiles = p, .contract = t };
	size_t size = strlen(t->input) / 2;
	const struct buf *out = &c.result.output;

	CHECK(hex_decode(buf_extend(&c.input, size), size, bytes_of_str(t->input)));
	run_call(&c, 1);
	CHECK(c.result.status == VM_SUCCESS && out->size == t->output_size);
	CHECK(t->last == 0 || out->data[out->size - 1] == t->last);
	bench_report_row(r, t->name, "ns", bench_measure(r, run_call, &c, 1));
	buf_clear(&c.input);
	buf_clear(&c.result.output);
}

int bench_precompiles(int argc, char **argv)
{
	static const uint8_t seed[32] = { 1 };
	struct bench_report r;
	int status = bench_report_begin(&r, argc, argv, "precompiles",
					"Contracts that the machine computes itself: one call of each.");
	struct precompiles p = { .revision = REVISION_OSAKA };
	struct ecc *ecc;

	if (status >= 0)
		return status;
	r.cpu_time = true;
	ecc = ecc_new(seed);
	p.ecc = ecc;
	p.p256 = p256_new();
	bench_report_section(&r, "a call");
	for (size_t i = 0; i < ARRAY_COUNT(contracts); i++)
		measure(&r, &p, &contracts[i]);
	p256_free(p.p256);
	ecc_free(ecc);
	return bench_report_end(&r);
}
