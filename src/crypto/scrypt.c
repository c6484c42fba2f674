/*
 * scrypt (RFC 7914), our own for one reason: OpenSSL's refuses n >= 2^(16·r), as
 * the RFC does, and a keystore of Ethereum's own test suite has n = 2^18, r = 1.
 */
#include "crypto/kdf.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/ecc.h"

#define MEMORY_MAX (1024 * MIB)
/* n·r·p is what it costs in time: this is 32 times a standard keystore's. */
#define COST_MAX (1ull << 26)

struct block {
	uint32_t w[16];
};

/* --- Salsa20/8 --- */

#define ROTATE(v, count) ((v) << (count) | (v) >> (32 - (count)))

/* Scalar code on purpose: a quarter round waits for its last step, and scalar
 * rotations wait less than vector ones. */
#define QUARTER(a, b, c, d) \
	do { \
		b ^= ROTATE(a + d, 7); \
		c ^= ROTATE(b + a, 9); \
		d ^= ROTATE(c + b, 13); \
		a ^= ROTATE(d + c, 18); \
	} while (0)

static void salsa20_8(struct block *b)
{
	struct block x = *b;
	uint32_t *w = x.w;
	unsigned i;

	for (i = 0; i < 4; i++) {
		QUARTER(w[0], w[4], w[8], w[12]);
		QUARTER(w[5], w[9], w[13], w[1]);
		QUARTER(w[10], w[14], w[2], w[6]);
		QUARTER(w[15], w[3], w[7], w[11]);
		QUARTER(w[0], w[1], w[2], w[3]);
		QUARTER(w[5], w[6], w[7], w[4]);
		QUARTER(w[10], w[11], w[8], w[9]);
		QUARTER(w[15], w[12], w[13], w[14]);
	}
	for (i = 0; i < 16; i++)
		b->w[i] += w[i];
}

/* --- mixing --- */

static inline void xor_block(struct block *out, const struct block *in)
{
	unsigned i;

	for (i = 0; i < 16; i++)
		out->w[i] ^= in->w[i];
}

/* scryptBlockMix: 2·r blocks from `in` to `out`, with `more` added to the input if
 * it is not NULL. Even results come first, then odd ones. */
static void mix_blocks(struct block *out, const struct block *in, const struct block *more,
		       size_t r)
{
	struct block x = in[2 * r - 1];
	size_t i;

	if (more)
		xor_block(&x, &more[2 * r - 1]);
	for (i = 0; i < 2 * r; i++) {
		xor_block(&x, &in[i]);
		if (more)
			xor_block(&x, &more[i]);
		salsa20_8(&x);
		out[(i & 1) * r + i / 2] = x;
	}
}

/* Integerify: the first 64 bits of the last block. */
static inline uint64_t index_from(const struct block *x, size_t r)
{
	const struct block *last = &x[2 * r - 1];

	return (uint64_t)last->w[1] << 32 | last->w[0];
}

static void load_blocks(struct block *out, const uint8_t *in, size_t count)
{
	size_t i, w;

	for (i = 0; i < count; i++)
		for (w = 0; w < 16; w++)
			out[i].w[w] = load_le32(in + 64 * i + 4 * w);
}

static void store_blocks(uint8_t *out, const struct block *in, size_t count)
{
	size_t i, w;

	for (i = 0; i < count; i++)
		for (w = 0; w < 16; w++)
			store_le32(out + 64 * i + 4 * w, in[i].w[w]);
}

/* scryptROMix on 128·r bytes, in place. `table` has room for n + 2 rows of 2·r
 * blocks: n that are looked up, and two to work in. */
static void mix_rows(uint8_t *text, struct block *table, uint64_t n, size_t r)
{
	size_t row = 2 * r;
	struct block *x = table + n * row, *y = x + row, *swap;
	uint64_t i;

	load_blocks(table, text, row);
	for (i = 1; i < n; i++)
		mix_blocks(table + i * row, table + (i - 1) * row, NULL, r);
	mix_blocks(x, table + (n - 1) * row, NULL, r);
	for (i = 0; i < n; i++) {
		mix_blocks(y, x, table + (index_from(x, r) & (n - 1)) * row, r);
		swap = x;
		x = y;
		y = swap;
	}
	store_blocks(text, x, row);
}

/* --- the function --- */

static int check_cost(uint64_t n, uint32_t r, uint32_t p, struct err *err)
{
	if (n < 2 || (n & (n - 1)) || r == 0 || p == 0)
		return ERR_SET(err, CRYPTO_E_LIBRARY,
			       "scrypt needs n a power of two above 1, and r and p above 0");
	if (n > MEMORY_MAX / 128 / r)
		return ERR_SET(err, CRYPTO_E_LIBRARY, "scrypt with these n and r needs over 1 GiB");
	if (p > COST_MAX / (n * r))
		return ERR_SET(err, CRYPTO_E_LIBRARY, "scrypt with these n, r, p takes too long");
	return OK;
}

/* Not xmalloc(): the file asks for it, and may ask for more than this machine has. */
static struct block *new_table(uint64_t n, size_t r)
{
	void *table;

	if (posix_memalign(&table, sizeof(struct block), (n + 2) * 2 * r * sizeof(struct block)))
		return NULL;
	return table;
}

int kdf_scrypt(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt,
	       uint64_t n, uint32_t r, uint32_t p, struct err *err)
{
	size_t lane_size = 128 * (size_t)r, table_size, i;
	struct block *table;
	uint8_t *text;
	int code = check_cost(n, r, p, err);

	if (code)
		return code;
	table = new_table(n, r);
	if (!table)
		return ERR_SET(err, CRYPTO_E_LIBRARY, "scrypt needs %llu MiB: there is less memory",
			       128 * n * r / MIB);
	table_size = (n + 2) * 2 * r * sizeof(struct block);
	text = xmalloc(lane_size * p);
	code = kdf_pbkdf2_sha256(text, lane_size * p, password, salt, 1, err);
	for (i = 0; !code && i < p; i++)
		mix_rows(text + lane_size * i, table, n, r);
	if (!code)
		code = kdf_pbkdf2_sha256(out, out_size, password, bytes_of(text, lane_size * p), 1,
					 err);
	crypto_wipe(table, table_size);
	crypto_wipe(text, lane_size * p);
	free(table);
	free(text);
	return code;
}
