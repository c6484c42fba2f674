#include "crypto/hd.h"

#include "base/buf.h"
#include "crypto/kdf.h"

/* --- BIP-39: phrase to seed --- */

#define WORD_COUNT_MIN 12
#define WORD_COUNT_MAX 24
#define MNEMONIC_SIZE_MAX 1024
#define SEED_ITERATIONS 2048

static int refuse_phrase(struct err *err, const char *why)
{
	return ERR_SET(err, CRYPTO_E_MNEMONIC, "the mnemonic phrase %s", why);
}

static int check_phrase(struct bytes phrase, struct err *err)
{
	size_t i, words = 1;

	if (phrase.size > MNEMONIC_SIZE_MAX)
		return refuse_phrase(err, "is too long");
	for (i = 0; i < phrase.size; i++) {
		bool edge = i == 0 || i + 1 == phrase.size;
		uint8_t c = phrase.data[i];

		if (c == ' ' && !edge && phrase.data[i - 1] != ' ')
			words++;
		else if (c < 'a' || c > 'z')
			return refuse_phrase(err, "must be words of lowercase letters with one "
						  "space between");
	}
	if (words < WORD_COUNT_MIN || words > WORD_COUNT_MAX || words % 3 != 0)
		return refuse_phrase(err, "must have 12, 15, 18, 21 or 24 words");
	return OK;
}

int hd_seed(uint8_t out[HD_SEED_SIZE], const char *mnemonic, const char *passphrase,
	    struct err *err)
{
	struct bytes phrase = bytes_of_str(mnemonic);
	struct buf salt = { 0 };
	int code = check_phrase(phrase, err);

	if (code)
		return code;
	buf_printf(&salt, "mnemonic%s", passphrase);
	code = kdf_pbkdf2_sha512(out, HD_SEED_SIZE, phrase, buf_bytes(&salt), SEED_ITERATIONS, err);
	crypto_wipe(salt.data, salt.size);
	buf_clear(&salt);
	return code;
}

/* --- BIP-32: seed to key tree --- */

#define HARDENED 0x80000000u
#define PATH_DEPTH_MAX 255
#define SEED_SIZE_MIN 16

/* An extended private key. */
struct node {
	struct secret_key key;
	uint8_t chain_code[32];
};

/* Reads one step of a path, "44'" or "0", and moves *at behind it. */
static bool read_step(uint32_t *out, const char **at)
{
	const char *p = *at;
	uint64_t index = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		index = index * 10 + (uint64_t)(*p - '0');
		if (index >= HARDENED)
			return false;
	}
	if (*p == '\'') {
		index |= HARDENED;
		p++;
	}
	*out = (uint32_t)index;
	*at = p;
	return true;
}

static int master_of(const struct ecc *e, struct node *out, struct bytes seed, struct err *err)
{
	uint8_t made[64];
	int code = OK;

	hmac_sha512(made, bytes_of_str("Bitcoin seed"), seed);
	memcpy(out->key.bytes, made, 32);
	memcpy(out->chain_code, made + 32, 32);
	crypto_wipe(made, sizeof(made));
	if (!ecc_key_valid(e, &out->key))
		code = ERR_SET(err, CRYPTO_E_MNEMONIC, "the seed gives no valid master key");
	return code;
}

/* 0x00 ‖ key for a hardened child, else the compressed public key; then the index. */
static int child_input(const struct ecc *e, uint8_t out[37], const struct node *node,
		       uint32_t index, struct err *err)
{
	struct public_key public;
	int code;

	if (index & HARDENED) {
		out[0] = 0x00;
		memcpy(out + 1, node->key.bytes, 32);
	} else {
		code = ecc_public_key(e, &public, &node->key, err);
		if (code)
			return code;
		out[0] = 0x02 | (public.bytes[63] & 1);
		memcpy(out + 1, public.bytes, 32);
	}
	store_be32(out + 33, index);
	return OK;
}

/* Replaces the node by its child `index`. */
static int descend(const struct ecc *e, struct node *node, uint32_t index, struct err *err)
{
	uint8_t input[37], made[64];
	int code = child_input(e, input, node, index, err);

	if (code)
		return code;
	hmac_sha512(made, bytes_of(node->chain_code, 32), bytes_of(input, sizeof(input)));
	code = ecc_key_tweak_add(e, &node->key, made, err);
	memcpy(node->chain_code, made + 32, 32);
	crypto_wipe(input, sizeof(input));
	crypto_wipe(made, sizeof(made));
	return code;
}

static int walk(const struct ecc *e, struct node *node, const char *path, struct err *err)
{
	const char *at = path;
	uint32_t index;
	int code, depth;

	if (*at++ != 'm')
		return ERR_SET(err, CRYPTO_E_MNEMONIC, "the path must start with m");
	for (depth = 0; *at; depth++) {
		if (depth == PATH_DEPTH_MAX)
			return ERR_SET(err, CRYPTO_E_MNEMONIC, "the path has over %d steps",
				       PATH_DEPTH_MAX);
		if (*at++ != '/' || !read_step(&index, &at))
			return ERR_SET(err, CRYPTO_E_MNEMONIC,
				       "step %d of the path is not a number below 2147483648, "
				       "with or without a ' behind it", depth + 1);
		code = descend(e, node, index, err);
		if (code)
			return code;
	}
	return OK;
}

int hd_derive_from_seed(const struct ecc *e, struct secret_key *out, struct bytes seed,
			const char *path, struct err *err)
{
	struct node node;
	int code;

	if (seed.size < SEED_SIZE_MIN || seed.size > HD_SEED_SIZE)
		return ERR_SET(err, CRYPTO_E_MNEMONIC, "a seed has %d to %d bytes", SEED_SIZE_MIN,
			       HD_SEED_SIZE);
	code = master_of(e, &node, seed, err);
	if (!code)
		code = walk(e, &node, path, err);
	if (!code)
		*out = node.key;
	crypto_wipe(&node, sizeof(node));
	return code;
}

int hd_derive(const struct ecc *e, struct secret_key *out, const char *mnemonic,
	      const char *path, struct err *err)
{
	uint8_t seed[HD_SEED_SIZE];
	int code = hd_seed(seed, mnemonic, "", err);

	if (!code)
		code = hd_derive_from_seed(e, out, bytes_of(seed, sizeof(seed)), path, err);
	crypto_wipe(seed, sizeof(seed));
	return code;
}
