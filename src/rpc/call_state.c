/* Accounts and proofs. State at a block that is not there is an error. */
#include "rpc/calls.h"

#include <stdlib.h>

#include "base/check.h"
#include "rpc/forms.h"

/* The account that parameter 0 names at the block that parameter `block_index` does. */
static int read_account(struct rpc_item *i, size_t block_index, struct rpc_account *out,
			struct err *err)
{
	uint64_t height;
	int code = rpc_item_height(i, &i->args->at[block_index].block, &height, err);

	if (code != OK)
		return code;
	return rpc_item_reader(i)->account(rpc_item_snapshot(i), height, &i->args->at[0].address,
					   out, err);
}

int call_get_balance(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct rpc_account account;
	int code = read_account(i, 1, &account, err);

	if (code == OK)
		form_wei(out, account.balance);
	return code;
}

int call_get_code(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct buf *code_bytes = &i->request->scratch;
	uint64_t height;
	int code = rpc_item_height(i, &i->args->at[1].block, &height, err);

	if (code == OK)
		code = rpc_item_reader(i)->code(rpc_item_snapshot(i), height,
						&i->args->at[0].address, code_bytes, err);
	if (code == OK)
		jout_data(out, buf_bytes(code_bytes));
	return code;
}

int call_get_storage(struct rpc_item *i, struct jout *out, struct err *err)
{
	uint8_t word[32];
	struct u256 value;
	uint64_t height;
	int code = rpc_item_height(i, &i->args->at[2].block, &height, err);

	if (code == OK)
		code = rpc_item_reader(i)->storage(rpc_item_snapshot(i), height,
						   &i->args->at[0].address,
						   &i->args->at[1].slot.key, &value, err);
	if (code != OK)
		return code;
	u256_to_be32(word, &value);
	jout_data(out, bytes_of(word, sizeof(word)));
	return OK;
}

/* --- nonces: with "pending", the waiting transactions count --- */

struct nonce_question {
	struct addr address;
	uint64_t nonce;
};

int call_get_nonce(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct nonce_question *question;
	struct rpc_account account;
	int code;

	if (i->args->at[1].block.kind == RPC_BLOCK_PENDING) {
		i->state = question = xcalloc(1, sizeof(*question));
		question->address = i->args->at[0].address;
		i->waits = true;
		return OK;
	}
	code = read_account(i, 1, &account, err);
	if (code == OK)
		jout_quantity(out, account.nonce);
	return code;
}

static int ask_nonce(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	struct nonce_question *question = i->state;

	question->nonce = node->ops->pool_next_nonce(node->ctx, &question->address);
	return OK;
}

static int tell_nonce(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct nonce_question *question = i->state;

	jout_quantity(out, question->nonce);
	return OK;
}

const struct rpc_errand errand_get_nonce = { ask_nonce, tell_nonce, free };

/* --- proofs --- */

/* Answered by the node's thread, since the trie is the newest block's only. */
struct proof {
	struct rpc_block_ref block;   /* what was asked for, a hash made a height */
	struct addr address;
	size_t slot_count;
	struct rpc_slot *slots;
	struct rpc_account account;
	struct rpc_proof account_proof;
	struct u256 *values;
	struct rpc_proof *slot_proofs;
};

int call_get_proof(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_arg *slots = &i->args->at[1];
	struct rpc_block_ref ref = i->args->at[2].block;
	struct proof *p;
	uint64_t height;
	int code = rpc_item_charge(i, slots->slots.count, err);

	if (code == OK)
		code = rpc_item_height(i, &ref, &height, err);
	if (code != OK)
		return code;
	i->state = p = xcalloc(1, sizeof(*p));
	i->waits = true;
	p->block = ref;
	if (ref.kind == RPC_BLOCK_HASH)
		p->block = (struct rpc_block_ref){ .kind = RPC_BLOCK_HEIGHT, .height = height };
	p->address = i->args->at[0].address;
	p->slot_count = slots->slots.count;
	p->slots = xcalloc(p->slot_count, sizeof(*p->slots));
	for (size_t k = 0; k < p->slot_count; k++)
		p->slots[k] = slots->slots.items[k];
	p->values = xcalloc(p->slot_count, sizeof(*p->values));
	p->slot_proofs = xcalloc(p->slot_count, sizeof(*p->slot_proofs));
	return OK;
}

static int ask_proof(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	struct proof *p = i->state;
	struct hash *keys = xcalloc(p->slot_count, sizeof(*keys));
	uint64_t height;
	int code;

	for (size_t k = 0; k < p->slot_count; k++)
		keys[k] = p->slots[k].key;
	code = node->ops->prove(node->ctx, &p->address, keys, p->slot_count, &height, &p->account,
				&p->account_proof, p->values, p->slot_proofs, err);
	free(keys);
	if (code == OK && p->block.kind == RPC_BLOCK_HEIGHT && p->block.height != height)
		return ERR_SET(
			err, RPC_E_PRUNED,
			"proofs are given for the newest block only, which is %llu: ask with "
			"\"latest\", not for block %llu",
			(unsigned long long)height, (unsigned long long)p->block.height);
	return code;
}

static void put_proof(struct jout *out, const char *key, const struct rpc_proof *p)
{
	jout_key(out, key);
	jout_array(out);
	for (size_t k = 0; k < p->count; k++)
		jout_data(out, p->nodes[k]);
	jout_array_end(out);
}

static void put_slot_proof(struct jout *out, const struct proof *p, size_t k)
{
	jout_object(out);
	jout_key(out, "key");
	if (p->slots[k].is_short)
		jout_quantity_be(out, hash_bytes(&p->slots[k].key));
	else
		form_hash(out, &p->slots[k].key);
	jout_key(out, "value");
	form_u256(out, &p->values[k]);
	put_proof(out, "proof", &p->slot_proofs[k]);
	jout_object_end(out);
}

static int tell_proof(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct proof *p = i->state;
	const struct hash *code_hash = &p->account.code_hash, *root = &p->account.storage_root;

	/* An account that does not exist is an empty one (EIP-1186). */
	if (hash_is_zero(code_hash))
		code_hash = &header_empty_code_hash;
	if (hash_is_zero(root))
		root = &header_empty_trie_root;
	jout_object(out);
	form_key_addr(out, "address", &p->address);
	put_proof(out, "accountProof", &p->account_proof);
	form_key_wei(out, "balance", p->account.balance);
	form_key_hash(out, "codeHash", code_hash);
	form_key_quantity(out, "nonce", p->account.nonce);
	form_key_hash(out, "storageHash", root);
	jout_key(out, "storageProof");
	jout_array(out);
	for (size_t k = 0; k < p->slot_count; k++)
		put_slot_proof(out, p, k);
	jout_array_end(out);
	jout_object_end(out);
	return OK;
}

static void release_proof(void *state)
{
	struct proof *p = state;

	rpc_proof_clear(&p->account_proof);
	for (size_t k = 0; k < p->slot_count; k++)
		rpc_proof_clear(&p->slot_proofs[k]);
	free(p->slot_proofs);
	free(p->values);
	free(p->slots);
	free(p);
}

const struct rpc_errand errand_get_proof = { ask_proof, tell_proof, release_proof };
