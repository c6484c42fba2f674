#include "rpc/backend.h"

#include <stdlib.h>

void rpc_block_clear(struct rpc_block *b)
{
	free(b->withdrawals);
	buf_clear(&b->certificate);
	*b = (struct rpc_block){ 0 };
}

void rpc_tx_clear(struct rpc_tx *t)
{
	tx_unref(t->tx);
	receipt_clear(&t->receipt);
	*t = (struct rpc_tx){ 0 };
}

void rpc_poll_clear(struct rpc_poll *p)
{
	log_filter_clear(&p->logs);
	free(p->txs);
	*p = (struct rpc_poll){ 0 };
}

void rpc_proof_clear(struct rpc_proof *p)
{
	for (size_t i = 0; i < p->count; i++)
		free((void *)(uintptr_t)p->nodes[i].data);
	free(p->nodes);
	*p = (struct rpc_proof){ 0 };
}

void rpc_votes_clear(struct rpc_votes *v)
{
	free(v->open);
	v->open = NULL;
	v->open_count = 0;
}

void rpc_consensus_status_clear(struct rpc_consensus_status *s)
{
	free(s->members);
	free(s->refusals);
	buf_clear(&s->reason);
	*s = (struct rpc_consensus_status){ 0 };
}
