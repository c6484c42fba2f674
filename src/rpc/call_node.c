/* Who this node is: web3_, net_, rpc_ and the identity of eth_. */
#include "rpc/calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"
#include "rpc/forms.h"

int call_client_version(struct rpc_item *i, struct jout *out, struct err *err)
{
	jout_str(out, rpc_item_info(i)->client_version);
	return OK;
}

int call_sha3(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct bytes data = i->args->at[0].data;
	struct hash hash;

	keccak256(&hash, data);
	form_hash(out, &hash);
	return OK;
}

int call_net_version(struct rpc_item *i, struct jout *out, struct err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu",
		 (unsigned long long)rpc_item_info(i)->params->chain_id);
	jout_str(out, text);
	return OK;
}

int call_net_listening(struct rpc_item *i, struct jout *out, struct err *err)
{
	jout_bool(out, true);
	return OK;
}

int call_chain_id(struct rpc_item *i, struct jout *out, struct err *err)
{
	jout_quantity(out, rpc_item_info(i)->params->chain_id);
	return OK;
}

int call_protocol_version(struct rpc_item *i, struct jout *out, struct err *err)
{
	jout_quantity(out, rpc_item_info(i)->protocol_version);
	return OK;
}

int call_syncing(struct rpc_item *i, struct jout *out, struct err *err)
{
	jout_bool(out, false);
	return OK;
}

/* A node holds no user's keys. */
int call_accounts(struct rpc_item *i, struct jout *out, struct err *err)
{
	jout_array(out);
	jout_array_end(out);
	return OK;
}

int call_block_number(struct rpc_item *i, struct jout *out, struct err *err)
{
	jout_quantity(out, rpc_item_reader(i)->height(rpc_item_snapshot(i)));
	return OK;
}

/* Hardhat takes chain 31337 for a network of its own, and Ignition asks which instance of
 * it this is, so that it forgets what it deployed on another one. */
int call_hardhat_metadata(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_info *info = rpc_item_info(i);
	struct rpc_block_ref newest = { .kind = RPC_BLOCK_NEWEST };
	struct rpc_block block;
	bool found;
	int code;

	if (!info->is_dev)
		return ERR_SET(err, RPC_E_METHOD,
			       "the method hardhat_metadata is that of a development chain: weftd --dev");
	code = rpc_item_block(i, &newest, &block, &found, err);
	if (code != OK || !found)
		return code == OK ? ERR_SET(err, RPC_E_INTERNAL, "the newest block is missing") : code;
	jout_object(out);
	jout_key(out, "clientVersion");
	jout_str(out, info->client_version);
	jout_key(out, "chainId");
	jout_unsigned(out, info->params->chain_id);
	jout_key(out, "instanceId");
	form_hash(out, &info->genesis_hash);
	jout_key(out, "latestBlockNumber");
	jout_unsigned(out, block.header.height);
	jout_key(out, "latestBlockHash");
	form_hash(out, &block.hash);
	jout_object_end(out);
	rpc_block_clear(&block);
	return OK;
}

/* The namespaces of the table, each with a version of 1.0 as geth says it. */
int call_modules(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_method *const *methods = i->request->rpc->by_name;
	struct bytes last = { 0 };

	jout_object(out);
	for (size_t k = 0; k < i->request->rpc->method_count; k++) {
		struct bytes space = bytes_of(methods[k]->name, strcspn(methods[k]->name, "_"));
		char name[16];

		if (bytes_equal(space, last))
			continue;
		if (!rpc_item_info(i)->is_dev && bytes_equal(space, bytes_of_str("hardhat")))
			continue;
		last = space;
		snprintf(name, sizeof(name), "%.*s", (int)space.size, (const char *)space.data);
		jout_key(out, name);
		jout_str(out, "1.0");
	}
	jout_object_end(out);
	return OK;
}

/* --- net_peerCount --- */

int call_peer_count(struct rpc_item *i, struct jout *out, struct err *err)
{
	i->state = xcalloc(1, sizeof(size_t));
	i->waits = true;
	return OK;
}

static int ask_peer_count(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	size_t *count = i->state;

	*count = node->ops->peer_count(node->ctx);
	return OK;
}

static int tell_peer_count(struct rpc_item *i, struct jout *out, struct err *err)
{
	const size_t *count = i->state;

	jout_quantity(out, *count);
	return OK;
}

const struct rpc_errand errand_peer_count = { ask_peer_count, tell_peer_count, free };
