/* Accounts, calls and proofs. State at a block that is not there is an error. */
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

/* --- calls --- */

/* The text of Solidity's Error(string), borrowed from `output`; {NULL, 0} if it is not one. */
static struct bytes revert_text(struct bytes output)
{
	static const uint8_t head[4 + 32] = { 0x08, 0xc3, 0x79, 0xa0, [4 + 31] = 0x20 };
	static const uint8_t zeros[24];
	uint64_t size;

	if (output.size < 4 + 64 || memcmp(output.data, head, sizeof(head)) != 0 ||
	    memcmp(output.data + 36, zeros, sizeof(zeros)) != 0)
		return bytes_of(NULL, 0);
	size = load_be64(output.data + 36 + 24);
	if (size > output.size - (4 + 64))
		return bytes_of(NULL, 0);
	return bytes_of(output.data + 4 + 64, (size_t)size);
}

/* The number of Solidity's Panic(uint256); false if it is not one. */
static bool revert_panic(struct bytes output, uint64_t *out)
{
	static const uint8_t head[4 + 24] = { 0x4e, 0x48, 0x7b, 0x71 };

	if (output.size != 4 + 32 || memcmp(output.data, head, sizeof(head)) != 0)
		return false;
	*out = load_be64(output.data + 28);
	return true;
}

static int reverted(struct rpc_item *i, struct bytes output, struct err *err)
{
	struct bytes text = revert_text(output);
	uint64_t number;

	buf_append_bytes(&i->request->error_data, output);
	if (text.data)
		return ERR_SET(err, RPC_E_REVERTED, "execution reverted: %.*s",
			       (int)MIN(text.size, 200), (const char *)text.data);
	if (revert_panic(output, &number))
		return ERR_SET(err, RPC_E_REVERTED, "execution reverted: panic 0x%llx",
			       (unsigned long long)number);
	return ERR_SET(err, RPC_E_REVERTED, "execution reverted");
}

/* Runs a call and gives its output; a call that fails is an error. */
static int run_call(struct rpc_item *i, uint64_t height, struct rpc_call_result *result,
		    struct err *err)
{
	int code = rpc_item_reader(i)->call(rpc_item_snapshot(i), height, &i->args->at[0].call,
					    result, err);

	if (code != OK || result->success)
		return code;
	if (result->reverted)
		return reverted(i, buf_bytes(&result->output), err);
	return ERR_SET(
		err, RPC_E_REJECTED,
		"execution failed after %llu gas: out of gas, or an instruction that is not valid",
		(unsigned long long)result->gas_used);
}

int call_call(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct rpc_call_result result = { 0 };
	uint64_t height;
	int code = rpc_item_height(i, &i->args->at[1].block, &height, err);

	if (code == OK)
		code = run_call(i, height, &result, err);
	if (code == OK)
		jout_data(out, buf_bytes(&result.output));
	buf_clear(&result.output);
	return code;
}

int call_estimate_gas(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct rpc_call_result result = { 0 };
	uint64_t height, gas;
	int code = rpc_item_height(i, &i->args->at[1].block, &height, err);

	if (code != OK)
		return code;
	code = rpc_item_reader(i)->estimate_gas(rpc_item_snapshot(i), height, &i->args->at[0].call,
						&gas, err);
	if (code == OK)
		jout_quantity(out, gas);
	if (code == RPC_E_REVERTED) {
		/* Once more, for what it reverted with. */
		code = run_call(i, height, &result, err);
		if (code == OK)
			code = ERR_SET(err, RPC_E_REVERTED,
				       "execution reverted at every gas limit tried");
	}
	buf_clear(&result.output);
	return code;
}

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
