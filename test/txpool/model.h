/*
 * model - a pool as its header describes it, in the plainest code that there is:
 * one unsorted array, everything looked for anew at every question. Random
 * operations on it and on the pool must give the same; used by the unit test
 * and by the fuzz target.
 */
#ifndef TEST_TXPOOL_MODEL_H
#define TEST_TXPOOL_MODEL_H

#include "txpool/txpool.h"

#define MODEL_SENDER_COUNT 6
#define MODEL_TX_MAX 64

struct model_tx {
	size_t sender;
	uint64_t nonce, fee, tip, cost, size, arrival;
	struct hash hash;
	bool pending;
};

struct model {
	struct txpool_limits limits;
	struct model_tx txs[MODEL_TX_MAX];
	size_t count;
	struct txpool_account accounts[MODEL_SENDER_COUNT];
	uint64_t base_fee, next_arrival;
};

/* A transaction of sender `sender` with its sender known, made without a key: its
 * signature has the right shape only. Fees and value are below 2^62. One reference. */
struct spec {
	size_t sender;
	uint64_t nonce, fee, tip, value, gas_limit;
	size_t data_size;
};
struct tx *make_tx(const struct spec *spec);
struct addr sender_address(size_t sender);

/* The result that txpool_add() must have. */
int model_add(struct model *m, const struct tx *t, size_t sender, size_t *evicted);
void model_update(struct model *m, size_t sender, const struct txpool_account *account);
void model_set_base_fee(struct model *m, uint64_t base_fee);
bool model_remove(struct model *m, const struct hash *hash);

/* Whether pool and model hold the same, in the same order; says on stderr what differs. */
bool model_agrees(const struct model *m, struct txpool *p);

/* Both through operations that `bytes` spell out; false at the first difference. */
bool model_run(struct bytes bytes);

#endif
