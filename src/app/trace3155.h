/*
 * trace3155 - a trace as EIP-3155 writes it: one JSON line an instruction, one at the
 * end. What an instruction cost is known only when the next one begins, so a line is
 * held back until then.
 */
#ifndef WEFT_APP_TRACE3155_H
#define WEFT_APP_TRACE3155_H

#include <stdio.h>

#include "base/buf.h"
#include "chain/receipt.h"
#include "vm/vm.h"

struct trace3155 {
	struct vm_tracer tracer; /* its ctx is this trace */
	FILE *out;
	bool pending;            /* a line waits for its gas cost */
	uint32_t depth;
	int64_t gas;
	struct buf head, tail;   /* of that line, before and behind the cost */
	struct buf output;       /* of the transaction's frame */
};

void trace3155_init(struct trace3155 *t, FILE *out);

/* The last line, with the state root; frees. */
void trace3155_end(struct trace3155 *t, const struct hash *root, const struct receipt *receipt);

#endif
