#include "app/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/rand.h"
#include "crypto/ecc.h"
#include "crypto/kdf.h"
#include "crypto/keccak.h"
#include "crypto/mmr.h"

/* --- signatures --- */

#define SIGNATURE_COUNT 64

/* Different keys and digests in turn, so that nothing is remembered. */
struct signatures {
	struct ecc *ecc;
	struct secret_key secret[SIGNATURE_COUNT];
	struct public_key public[SIGNATURE_COUNT];
	struct hash digest[SIGNATURE_COUNT];
	struct signature sig[SIGNATURE_COUNT];
};

static void make_signatures(struct signatures *s)
{
	static const uint8_t seed[32] = { 1 };
	struct hash h = { { 0 } };
	unsigned i;

	s->ecc = ecc_new(seed);
	for (i = 0; i < SIGNATURE_COUNT; i++) {
		keccak256(&h, hash_bytes(&h));
		memcpy(s->secret[i].bytes, h.bytes, 32);
		keccak256(&s->digest[i], hash_bytes(&h));
		CHECK(ecc_public_key(s->ecc, &s->public[i], &s->secret[i], NULL) == OK);
		CHECK(ecc_sign(s->ecc, &s->sig[i], &s->digest[i], &s->secret[i], NULL) == OK);
	}
}

static void run_recover(void *ctx, uint64_t rounds)
{
	struct signatures *s = ctx;
	struct addr address;
	uint64_t n;

	for (n = 0; n < rounds; n++) {
		unsigned i = n % SIGNATURE_COUNT;

		CHECK(ecc_recover_address(s->ecc, &address, &s->digest[i], &s->sig[i], NULL) == OK);
		bench_keep(&address);
	}
}

static void run_verify(void *ctx, uint64_t rounds)
{
	struct signatures *s = ctx;
	uint64_t n;

	for (n = 0; n < rounds; n++) {
		unsigned i = n % SIGNATURE_COUNT;

		CHECK(ecc_verify(s->ecc, &s->sig[i], &s->digest[i], &s->public[i]));
	}
}

static void run_sign(void *ctx, uint64_t rounds)
{
	struct signatures *s = ctx;
	struct signature sig;
	uint64_t n;

	for (n = 0; n < rounds; n++) {
		unsigned i = n % SIGNATURE_COUNT;

		CHECK(ecc_sign(s->ecc, &sig, &s->digest[i], &s->secret[i], NULL) == OK);
		bench_keep(&sig);
	}
}

static void bench_signatures(struct bench_report *r)
{
	struct signatures *s = xcalloc(1, sizeof(*s));

	make_signatures(s);
	bench_report_section(r, "secp256k1");
	bench_report_row(r, "recover an address", "/s",
			 bench_per_second(bench_measure(r, run_recover, s, 1)));
	bench_report_row(r, "verify, key to be parsed", "/s",
			 bench_per_second(bench_measure(r, run_verify, s, 1)));
	bench_report_row(r, "sign, recoverable", "/s",
			 bench_per_second(bench_measure(r, run_sign, s, 1)));
	ecc_free(s->ecc);
	free(s);
}

/* --- Keccak-256 --- */

/* Messages side by side in one piece of memory, as encoded trie nodes are. */
struct messages {
	enum keccak_backend backend;
	size_t count;
	uint8_t *text;
	struct bytes *list;
	struct hash *out;
};

static void make_messages(struct messages *m, size_t count, size_t size_min, size_t size_max)
{
	struct rng r;
	size_t i, at = 0, size;

	rng_init(&r, 1);
	*m = (struct messages){ .count = count };
	m->text = xmalloc(count * size_max);
	m->list = xcalloc(count, sizeof(*m->list));
	m->out = xcalloc(count, sizeof(*m->out));
	for (i = 0; i < count * size_max; i++)
		m->text[i] = (uint8_t)rng_next(&r);
	for (i = 0; i < count; i++) {
		size = size_min + (size_t)rng_below(&r, size_max - size_min + 1);
		m->list[i] = bytes_of(m->text + at, size);
		at += size;
	}
}

static void free_messages(struct messages *m)
{
	free(m->text);
	free(m->list);
	free(m->out);
}

static void run_one_by_one(void *ctx, uint64_t rounds)
{
	struct messages *m = ctx;
	size_t i;

	for (; rounds; rounds--)
		for (i = 0; i < m->count; i++)
			keccak256(&m->out[i], m->list[i]);
	bench_keep(m->out);
}

static void run_batch(void *ctx, uint64_t rounds)
{
	struct messages *m = ctx;

	for (; rounds; rounds--)
		CHECK(keccak256_batch_with(m->backend, m->out, m->list, m->count));
	bench_keep(m->out);
}

/* One at a time, then with every vector backend that this machine has. */
static void bench_messages(struct bench_report *r, struct messages *m, const char *what)
{
	static const enum keccak_backend lanes[] = { KECCAK_AVX2, KECCAK_AVX512 };
	char name[96];
	size_t i;

	snprintf(name, sizeof(name), "%s, one at a time", what);
	bench_report_row(r, name, "ns", bench_measure(r, run_one_by_one, m, (double)m->count));
	for (i = 0; i < ARRAY_COUNT(lanes); i++) {
		m->backend = lanes[i];
		if (!keccak256_batch_with(m->backend, m->out, m->list, 1))
			continue;
		snprintf(name, sizeof(name), "%s, batched, %s", what,
			 keccak_backend_name(lanes[i]));
		bench_report_row(r, name, "ns", bench_measure(r, run_batch, m, (double)m->count));
	}
}

static void bench_keccak(struct bench_report *r)
{
	static const struct {
		const char *name;
		size_t count, size_min, size_max;
	} cases[] = {
		{ "64 bytes", 1000, 64, 64 },
		{ "576 bytes", 1000, 576, 576 },
		/* Encoded leaves, and branches of three to all sixteen children. */
		{ "10,000 trie nodes, 110 to 532 bytes", 10000, 110, 532 },
	};
	struct messages m;
	size_t i;

	bench_report_section(r, "Keccak-256, a message");
	for (i = 0; i < ARRAY_COUNT(cases); i++) {
		make_messages(&m, cases[i].count, cases[i].size_min, cases[i].size_max);
		bench_messages(r, &m, cases[i].name);
		free_messages(&m);
	}
}

/* --- the rest --- */

struct text {
	uint8_t bytes[1024];
	size_t size;
};

static void run_sha256(void *ctx, uint64_t rounds)
{
	struct text *t = ctx;
	struct hash h;

	for (; rounds; rounds--) {
		sha256(&h, bytes_of(t->bytes, t->size));
		t->bytes[0] = h.bytes[0];
	}
}

static void run_mmr(void *ctx, uint64_t rounds)
{
	struct mmr *m = ctx;
	struct hash value = { { 1 } };

	for (; rounds; rounds--)
		mmr_append(m, NULL, &value);
	bench_keep(m);
}

static void bench_others(struct bench_report *r)
{
	struct text t = { .size = 64 };
	struct mmr m;

	bench_report_section(r, "others");
	bench_report_row(r, "SHA-256 of 64 bytes", "ns", bench_measure(r, run_sha256, &t, 1));
	t.size = 1024;
	bench_report_row(r, "SHA-256 of 1 KiB", "ns", bench_measure(r, run_sha256, &t, 1));
	mmr_init(&m);
	bench_report_row(r, "append to a Merkle mountain range", "ns",
			 bench_measure(r, run_mmr, &m, 1));
}

int bench_crypto(int argc, char **argv)
{
	static const char summary[] =
		"Signatures and hashes on one core: secp256k1 a second, Keccak-256 in\n"
		"nanoseconds a message one at a time and in vector lanes, SHA-256, MMR.";
	struct bench_report r;
	int status = bench_report_begin(&r, argc, argv, "crypto", summary);

	if (status >= 0)
		return status;
	bench_signatures(&r);
	bench_keccak(&r);
	bench_others(&r);
	return bench_report_end(&r);
}
