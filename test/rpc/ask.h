/*
 * ask - one question a test: a fresh fake node, and words for what it is asked.
 *
 * In bodies and expectations: $B3 is block 3's hash, $T12 the hash of block 1's
 * transaction 2, $S the sender's address, $C the contract's, $E and $F
 * these with EIP-55's capitals, $P the bytes of a fresh transfer, $Q its hash.
 */
#ifndef WEFT_TEST_RPC_ASK_H
#define WEFT_TEST_RPC_ASK_H

#include "fake.h"

struct asker {
	struct fake *fake;
	struct rpc *rpc;
	struct tx *fresh;
	struct buf reply;       /* of the last question, with a NUL behind it */
	struct jval *document;  /* parsed; NULL if the reply is empty */
};

struct asker asker_open(void);
void asker_close(struct asker *a);

/* `text` with its $-words replaced and a NUL behind it; the caller clears it. */
struct buf expand(const struct asker *a, const char *text);

/* Sends a body as it stands after expansion. The reply must be JSON or empty. */
const char *ask_body(struct asker *a, const char *body);

/* Calls one method; params is text, or NULL for none. Gives `result`, NULL if it
 * is an error. */
const struct jval *ask(struct asker *a, const char *method, const char *params);

/* The last reply's error. */
int64_t error_code(const struct asker *a);
const char *error_message(const struct asker *a);

/* Value `path` ("transactions.0.hash") of a result. */
const struct jval *value_at(const struct jval *v, const char *path);

/* A value as text, in a buffer that the next call overwrites. */
const char *text_of(struct asker *a, const struct jval *v);

/* 32 bytes of zero, in hex. */
#define ZEROS_32 "0000000000000000000000000000000000000000000000000000000000000000"

#endif
