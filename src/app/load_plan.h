/*
 * load_plan - what a load run sends: senders, their funding, and transfers that
 * are signed before any clock starts.
 *
 * Transfer k is sender k mod S's, so a sender's next nonce lies S transfers, or
 * S / batch batches, behind the one before: batches that overtake one another on
 * several connections leave no gaps for long. Each pays 1 wei to the next sender,
 * so a run changes two accounts a transfer and needs no funds but the fees. A plan of
 * ERC-20 transfers (load_token.h) is the same, with units of a token.
 */
#ifndef WEFT_APP_LOAD_PLAN_H
#define WEFT_APP_LOAD_PLAN_H

#include "app/erc20.h"
#include "app/rpc_client.h"
#include "chain/tx.h"

#define LOAD_FUNDER_MAX 10

enum load_kind {
	LOAD_TRANSFERS,
	LOAD_ERC20,
};

struct load_options {
	enum load_kind kind;
	struct bytes init_code;         /* of LOAD_ERC20: the token's, borrowed */
	uint64_t token_gas;             /* … and the gas limit of one transfer */
	size_t sender_count, batch_count, thread_count;
	uint64_t transfer_count;
	enum tx_type type;
	uint64_t seed;
	uint64_t price_gwei;            /* 0: eight times what the node asks for */
	const char *mnemonic;           /* whose first accounts pay for the senders, … */
	const struct secret_key *key;   /* … or this one alone, if not NULL */
};

struct load_sender {
	struct secret_key key;
	struct addr address;
	uint64_t nonce; /* of its first transfer */
};

/* One post: `count` eth_sendRawTransaction calls. */
struct load_batch {
	struct buf body;
	size_t count;
};

/* One of those who pay, at work on a chain. */
struct load_funder {
	const struct secret_key *key;
	struct addr address;
	uint64_t first, nonce; /* of its first transaction here, and of its next */
};

struct load_plan {
	struct load_options options;
	struct ecc *ecc;
	struct secret_key funders[LOAD_FUNDER_MAX];
	size_t funder_count;
	uint64_t chain_id;
	struct wei price;               /* per gas */
	struct addr token;              /* of LOAD_ERC20, from load_token_deploy() on */
	struct load_sender *senders;
	struct load_batch *batches;
	size_t batch_count;
};

/* Derives funders and senders. */
int load_plan_init(struct load_plan *p, const struct load_options *options, struct err *err);
void load_plan_clear(struct load_plan *p);

/* Takes chain id, price and the senders' nonces from the node at `c` if `is_first`;
 * else checks that they are the same there, so that the same transfers can be sent. */
int load_plan_align(struct load_plan *p, struct rpc_client *c, bool is_first, struct err *err);

/* Gives every sender on this chain what its transfers cost, and waits until all
 * have it. Senders that have enough are left alone. */
int load_plan_fund(struct load_plan *p, struct rpc_client *c, struct err *err);

/* Funder `index` at the nonce that it has at `c`. */
int load_funder_begin(struct load_plan *p, struct rpc_client *c, size_t index, struct load_funder *out,
		      struct err *err);
/* Sends a transaction of which type, recipient, value, data and gas limit are given. Waits for those
 * before it now and then, so that no pool is asked for more of one sender than it takes. */
int load_funder_send(struct load_plan *p, struct rpc_client *c, struct load_funder *f, struct tx *t,
		     struct err *err);
/* Waits until all that it sent is mined. */
int load_funder_wait(struct rpc_client *c, const struct load_funder *f, struct err *err);

/* One number of every sender, in order, from the newest block. */
enum load_question {
	LOAD_ASK_NONCE,
	LOAD_ASK_BALANCE,
	LOAD_ASK_TOKENS,
};
int load_plan_ask(const struct load_plan *p, struct rpc_client *c, enum load_question question,
		  struct u256 *out, struct err *err);

/* Signs all transfers on several threads; says how far it is on stderr. */
int load_plan_sign(struct load_plan *p, struct err *err);

/* The senders' nonces in the newest block, nonces[0..count-1] of senders first,
 * first + step, …: one batch. */
void load_plan_nonce_query(const struct load_plan *p, struct buf *out, size_t first, size_t step,
			   size_t count);
/* Reads the answer: the sum of what each has beyond its first nonce. False if malformed. */
bool load_plan_nonce_sum(const struct load_plan *p, const struct jval *replies, uint64_t *out);

/* All transfers that the chain at `c` has mined, from all senders' nonces. */
int load_plan_count_mined(const struct load_plan *p, struct rpc_client *c, uint64_t *out,
			  struct err *err);

#endif
