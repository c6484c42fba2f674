#include "vm/precompiles.h"

#include "crypto/blake2f.h"
#include "crypto/bn254.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "crypto/modexp.h"
#include "vm/word.h"

#define LAST_CANCUN 0x0a
#define LAST_PRAGUE 0x11
#define NUMBER_P256 0x0100

#define GAS_ECRECOVER 3000
#define GAS_BN254_ADD 150            /* EIP-1108 */
#define GAS_BN254_MUL 6000
#define GAS_BN254_PAIRING 45000
#define GAS_BN254_PAIR 34000
#define GAS_P256 6900                /* EIP-7951 */
#define GAS_MODEXP_MIN 200           /* EIP-2565 */
#define GAS_MODEXP_MIN_OSAKA 500     /* EIP-7883 */
#define MODEXP_SIZE_MAX_OSAKA 1024   /* EIP-7823 */
/* What no gas limit pays for: keeps the sums below from overflow. */
#define MODEXP_SIZE_MAX (1ull << 32)

uint16_t precompile_last(enum revision revision)
{
	return revision >= REVISION_PRAGUE ? LAST_PRAGUE : LAST_CANCUN;
}

bool precompile_at(const struct addr *address, enum revision revision, uint16_t *number)
{
	static const uint8_t zeros[18];

	*number = (uint16_t)(address->bytes[18] << 8 | address->bytes[19]);
	if (memcmp(address->bytes, zeros, sizeof(zeros)) != 0 || *number == 0)
		return false;
	return *number <= precompile_last(revision) ||
	       (*number == NUMBER_P256 && revision >= REVISION_OSAKA);
}

bool precompile_exists(uint16_t number)
{
	return (number >= 1 && number <= 9) || number == NUMBER_P256;
}

/* --- input as if followed by zeros --- */

static void read_padded(uint8_t *out, struct bytes input, uint64_t at, size_t size)
{
	size_t have = at < input.size ? MIN(size, (size_t)(input.size - at)) : 0;

	if (have)
		memcpy(out, input.data + at, have);
	memset(out + have, 0, size - have);
}

static bool charge(struct vm_result *out, uint64_t cost)
{
	if (out->gas_left < cost) {
		out->status = VM_FAILURE;
		out->reason.kind = VM_FAILED_GAS;
		out->gas_left = 0;
		return false;
	}
	out->gas_left -= cost;
	return true;
}

static void fail(struct vm_result *out)
{
	out->status = VM_FAILURE;
	out->reason.kind = VM_FAILED_PRECOMPILE;
	out->gas_left = 0;
	buf_reset(&out->output);
}

static uint64_t words(size_t size)
{
	return ((uint64_t)size + 31) / 32;
}

/* --- each of them --- */

static void run_ecrecover(const struct precompiles *p, struct bytes input, struct vm_result *out)
{
	static const uint8_t zeros[31];
	uint8_t in[128];
	struct signature sig;
	struct hash digest;
	struct addr address;

	if (!charge(out, GAS_ECRECOVER))
		return;
	read_padded(in, input, 0, sizeof(in));
	if (memcmp(in + 32, zeros, sizeof(zeros)) != 0 || (in[63] != 27 && in[63] != 28))
		return;
	memcpy(digest.bytes, in, 32);
	memcpy(sig.r, in + 64, 32);
	memcpy(sig.s, in + 96, 32);
	sig.recovery_id = in[63] - 27;
	if (ecc_recover_address(p->ecc, &address, &digest, &sig, NULL) != OK)
		return;
	buf_append(&out->output, zeros, 12);
	buf_append(&out->output, address.bytes, sizeof(address.bytes));
}

static void run_sha256(struct bytes input, struct vm_result *out)
{
	struct hash hash;

	if (!charge(out, 60 + 12 * words(input.size)))
		return;
	sha256(&hash, input);
	buf_append_bytes(&out->output, hash_bytes(&hash));
}

static void run_ripemd160(struct bytes input, struct vm_result *out)
{
	uint8_t word[32] = { 0 };

	if (!charge(out, 600 + 120 * words(input.size)))
		return;
	ripemd160(word + 12, input);
	buf_append(&out->output, word, sizeof(word));
}

static void run_identity(struct bytes input, struct vm_result *out)
{
	if (charge(out, 15 + 3 * words(input.size)) && input.size)
		buf_append_bytes(&out->output, input);
}

/* A length of modexp's head; what is too large is MODEXP_SIZE_MAX. */
static uint64_t modexp_size(struct bytes input, size_t index)
{
	uint8_t be[32];
	struct u256 n;

	read_padded(be, input, 32 * index, sizeof(be));
	word_load(&n, be);
	return u256_fits_u64(&n) ? MIN(n.limbs[0], MODEXP_SIZE_MAX) : MODEXP_SIZE_MAX;
}

/* EIP-2565's iteration count; `multiplier` 8, from Osaka on 16 (EIP-7883). */
static uint64_t modexp_iterations(struct bytes input, uint64_t base_size, uint64_t exponent_size,
				  uint64_t multiplier)
{
	size_t head_size = (size_t)MIN(exponent_size, 32ull);
	uint8_t be[32] = { 0 };
	struct u256 head;
	uint64_t bits;

	read_padded(be + 32 - head_size, input, 96 + base_size, head_size);
	word_load(&head, be);
	bits = 256 - word_clz(&head);
	bits = bits ? bits - 1 : 0;
	if (exponent_size > 32)
		bits += multiplier * (exponent_size - 32);
	return MAX(bits, 1ull);
}

/* False if it is beyond 64 bits. */
static bool modexp_gas(enum revision revision, struct bytes input, const uint64_t size[3],
		       uint64_t *cost)
{
	const bool osaka = revision >= REVISION_OSAKA;
	uint64_t longest = MAX(size[0], size[2]), square = (longest + 7) / 8 * ((longest + 7) / 8);
	uint64_t iterations = modexp_iterations(input, size[0], size[1], osaka ? 16 : 8);
	word_u128 product;

	if (osaka)
		square = longest <= 32 ? 16 : 2 * square;
	product = (word_u128)square * iterations / (osaka ? 1 : 3);
	if (product > UINT64_MAX / 2)
		return false;
	*cost = MAX((uint64_t)product, osaka ? GAS_MODEXP_MIN_OSAKA + 0ull : GAS_MODEXP_MIN + 0ull);
	return true;
}

static void run_modexp(const struct precompiles *p, struct bytes input, struct vm_result *out)
{
	uint64_t size[3] = { modexp_size(input, 0), modexp_size(input, 1), modexp_size(input, 2) };
	uint64_t cost, place = 96;
	struct buf operands = { 0 };
	uint8_t *at;

	for (int i = 0; p->revision >= REVISION_OSAKA && i < 3; i++)
		if (size[i] > MODEXP_SIZE_MAX_OSAKA) {
			fail(out);
			return;
		}
	if (!modexp_gas(p->revision, input, size, &cost)) {
		fail(out);
		return;
	}
	if (!charge(out, cost))
		return;
	if (size[2] == 0) /* and then the exponent may be as long as it likes */
		return;
	/* base and modulus are paid for; so is the exponent unless both are empty */
	at = buf_extend(&operands, size[0] + size[1] + size[2]);
	read_padded(at, input, place, size[0] + size[1] + size[2]);
	modexp(buf_extend(&out->output, size[2]), bytes_of(at, size[0]),
	       bytes_of(at + size[0], size[1]), bytes_of(at + size[0] + size[1], size[2]));
	buf_clear(&operands);
}

static void run_bn254_add(struct bytes input, struct vm_result *out)
{
	uint8_t in[128], sum[64];

	if (!charge(out, GAS_BN254_ADD))
		return;
	read_padded(in, input, 0, sizeof(in));
	if (bn254_add(sum, in))
		buf_append(&out->output, sum, sizeof(sum));
	else
		fail(out);
}

static void run_bn254_mul(struct bytes input, struct vm_result *out)
{
	uint8_t in[96], product[64];

	if (!charge(out, GAS_BN254_MUL))
		return;
	read_padded(in, input, 0, sizeof(in));
	if (bn254_mul(product, in))
		buf_append(&out->output, product, sizeof(product));
	else
		fail(out);
}

static void run_bn254_pairing(struct bytes input, struct vm_result *out)
{
	size_t count = input.size / BN254_PAIR_SIZE;
	uint8_t word[32] = { 0 };
	bool is_one;

	if (!charge(out, GAS_BN254_PAIRING + GAS_BN254_PAIR * (uint64_t)count))
		return;
	if (input.size % BN254_PAIR_SIZE != 0 || !bn254_pairing(&is_one, input.data, count)) {
		fail(out);
		return;
	}
	word[31] = is_one;
	buf_append(&out->output, word, sizeof(word));
}

static void run_blake2f(struct bytes input, struct vm_result *out)
{
	if (input.size != BLAKE2F_INPUT_SIZE || input.data[212] > 1) {
		fail(out);
		return;
	}
	if (!charge(out, load_be32(input.data)))
		return;
	blake2f(buf_extend(&out->output, BLAKE2F_OUTPUT_SIZE), input.data);
}

static void run_p256(const struct precompiles *p, struct bytes input, struct vm_result *out)
{
	uint8_t word[32] = { 0 };

	if (!charge(out, GAS_P256))
		return;
	if (input.size != P256_INPUT_SIZE || !p256_verify(p->p256, input.data))
		return;
	word[31] = 1;
	buf_append(&out->output, word, sizeof(word));
}

void precompile_run(const struct precompiles *p, uint16_t number, struct bytes input,
		    struct vm_result *out)
{
	out->status = VM_SUCCESS;
	switch (number) {
	case 0x01:
		run_ecrecover(p, input, out);
		return;
	case 0x02:
		run_sha256(input, out);
		return;
	case 0x03:
		run_ripemd160(input, out);
		return;
	case 0x04:
		run_identity(input, out);
		return;
	case 0x05:
		run_modexp(p, input, out);
		return;
	case 0x06:
		run_bn254_add(input, out);
		return;
	case 0x07:
		run_bn254_mul(input, out);
		return;
	case 0x08:
		run_bn254_pairing(input, out);
		return;
	case 0x09:
		run_blake2f(input, out);
		return;
	case NUMBER_P256:
		run_p256(p, input, out);
		return;
	default:
		fail(out);
		return;
	}
}
