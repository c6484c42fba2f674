/* What proves something to anyone: evidence against validators, checkpoints. */
#include "rpc/calls.h"

#include <stdlib.h>

#include "base/check.h"
#include "rpc/forms.h"

/* --- weft_evidence --- */

int call_evidence(struct rpc_item *i, struct jout *out, struct err *err)
{
	i->state = xcalloc(1, sizeof(struct rpc_evidence_list));
	i->waits = true;
	return OK;
}

static int ask_evidence(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	node->ops->evidence(node->ctx, i->state);
	return OK;
}

static void put_evidence(struct jout *out, const struct rpc_evidence *e)
{
	jout_object(out);
	form_key_addr(out, "validator", &e->validator);
	form_key_quantity(out, "index", e->index);
	form_key_quantity(out, "height", e->height);
	form_key_quantity(out, "view", e->view);
	jout_key(out, "kind");
	jout_str(out, e->kind);
	form_key_hash(out, "validatorsHash", &e->validators_hash);
	form_key_quantity(out, "seenMs", e->seen_ms);
	form_key_data(out, "first", buf_bytes(&e->first));
	form_key_data(out, "second", buf_bytes(&e->second));
	jout_object_end(out);
}

static int tell_evidence(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_evidence_list *list = i->state;
	int code = OK;

	jout_array(out);
	for (size_t k = list->count; k > 0 && code == OK; k--) {
		put_evidence(out, &list->items[k - 1]);
		code = rpc_item_room(i, err);
	}
	jout_array_end(out);
	return code;
}

static void release_evidence(void *state)
{
	struct rpc_evidence_list *list = state;

	for (size_t k = 0; k < list->count; k++) {
		buf_clear(&list->items[k].first);
		buf_clear(&list->items[k].second);
	}
	free(list->items);
	free(list);
}

const struct rpc_errand errand_evidence = { ask_evidence, tell_evidence, release_evidence };

/* --- weft_getCheckpoint --- */

int call_get_checkpoint(struct rpc_item *i, struct jout *out, struct err *err)
{
	i->state = xcalloc(1, sizeof(struct rpc_checkpoint));
	i->waits = true;
	return OK;
}

static int ask_checkpoint(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	node->ops->checkpoint(node->ctx, i->state);
	return OK;
}

static void put_signer(struct jout *out, const struct rpc_checkpoint_signer *s)
{
	jout_object(out);
	form_key_quantity(out, "index", s->index);
	form_key_addr(out, "address", &s->address);
	form_key_quantity(out, "weight", s->weight.n);
	form_seal(out, &s->signature);
	jout_object_end(out);
}

static int tell_checkpoint(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_checkpoint *c = i->state;

	if (!c->is_there) {
		jout_null(out);
		return OK;
	}
	jout_object(out);
	form_key_quantity(out, "height", c->height);
	form_key_hash(out, "blockHash", &c->block_hash);
	form_key_quantity(out, "epoch", c->epoch);
	form_key_hash(out, "validatorsHash", &c->validators_hash);
	form_key_quantity(out, "weight", c->weight.n);
	form_key_quantity(out, "totalWeight", c->total.n);
	form_key_quantity(out, "faultyWeightMax", c->faulty.n);
	jout_key(out, "signers");
	jout_array(out);
	for (size_t k = 0; k < c->count; k++)
		put_signer(out, &c->signers[k]);
	jout_array_end(out);
	jout_object_end(out);
	return OK;
}

static void release_checkpoint(void *state)
{
	struct rpc_checkpoint *c = state;

	free(c->signers);
	free(c);
}

const struct rpc_errand errand_get_checkpoint = { ask_checkpoint, tell_checkpoint, release_checkpoint };
