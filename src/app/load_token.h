/*
 * load_token - what a plan of ERC-20 transfers has more than one of plain ones: the token, its
 * senders' shares of it, and whether the balances are right in the end.
 *
 * Sender i moves i + 1 units at a time to the next one, so that two transfers that did not
 * happen never cancel each other out, and each balance tells what its owner sent and got.
 */
#ifndef WEFT_APP_LOAD_TOKEN_H
#define WEFT_APP_LOAD_TOKEN_H

#include "app/load_plan.h"

/* Appends init code out of a file: hex digits, or an artifact of Hardhat ("bytecode"), Foundry
 * ("bytecode.object") or solc ("evm.bytecode.object"); then `arguments`, the constructor's, hex
 * digits or NULL. APP_E_FILE, APP_E_REFUSED. */
int load_token_read(struct buf *out, const char *path, const char *arguments, struct err *err);

/* Deploys the token on the chain at `c` by the first funder, who gets all of it by its
 * constructor, and gives every sender what its transfers will move. On a chain that isn't the
 * plan's first, its address must come out the same. Returns when all is mined. */
int load_token_deploy(struct load_plan *p, struct rpc_client *c, bool is_first, struct err *err);

/* The call data of sender `index`'s transfers. */
void load_token_fill(const struct load_plan *p, size_t index, uint8_t out[ERC20_TRANSFER_SIZE]);

/* Compares every balance at `c`, where nothing may move any more, with what its owner was
 * given, has sent, by its nonce, and has got. RPC_CLIENT_E_REPLY names the first that differs. */
int load_token_check(const struct load_plan *p, struct rpc_client *c, struct err *err);

#endif
