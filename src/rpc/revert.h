/*
 * revert - what a revert's data says in Solidity's terms.
 */
#ifndef WEFT_RPC_REVERT_H
#define WEFT_RPC_REVERT_H

#include "base/bytes.h"

/* Enough for a reason to fit an error's message. */
#define REVERT_REASON_MAX 400

/* The reason in geth's words: the text of Error(string), cut to what fits; what the number of
 * Panic(uint256) means. False for any other data. NUL-terminated. */
bool revert_reason(char out[REVERT_REASON_MAX], struct bytes output);

#endif
