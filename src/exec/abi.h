/*
 * abi - as much of Solidity's contract ABI as native contracts need: static
 * arguments in, words and arrays of words out, Error(string) for a revert.
 */
#ifndef WEFT_EXEC_ABI_H
#define WEFT_EXEC_ABI_H

#include "base/buf.h"
#include "base/u256.h"

#define ABI_WORD_SIZE 32
#define ABI_SELECTOR_SIZE 4

/* The first 4 bytes as a number; false if there are fewer. */
bool abi_selector(struct bytes input, uint32_t *out);

/* Argument `index` as an address; false if the input is too short or the upper
 * 12 bytes are not zero. */
bool abi_read_addr(struct bytes input, size_t index, struct addr *out);

/* Argument `index` as a number. */
bool abi_read_word(struct bytes input, size_t index, struct u256 *out);

void abi_put_addr(struct buf *out, const struct addr *a);
void abi_put_word(struct buf *out, const struct u256 *v);
void abi_put_u64(struct buf *out, uint64_t v);

/* Error(string) (Solidity, "Panic via assert and Error via require"). */
void abi_put_error(struct buf *out, const char *reason);

#endif
