/*
 * erc20 - a token to measure with: a contract whose transfer() does what OpenZeppelin's
 * does, assembled here from a list of instructions, so that no compiler is needed.
 *
 *   transfer(to, value)   both addresses checked, the sender's balance checked, two slots of
 *                         a mapping (slot 0: keccak256(owner ‖ 0)) read and written, Transfer
 *                         logged, true returned
 *   balanceOf(owner), totalSupply()
 *
 * Anything else, value sent along, short call data, an address with high bits, the zero address or
 * more than there is: reverts without data. Its maker gets ERC20_SUPPLY. No allowances: it is
 * not for use.
 */
#ifndef WEFT_APP_ERC20_H
#define WEFT_APP_ERC20_H

#include "base/buf.h"
#include "base/u256.h"

/* The supply: 2^128 - 1. */
#define ERC20_SUPPLY_BITS 128

/* Appends the code, or the init code that deploys it. */
void erc20_code(struct buf *out);
void erc20_init_code(struct buf *out);

/* Call data, of any ERC-20. */
#define ERC20_TRANSFER_SIZE 68
#define ERC20_BALANCE_SIZE 36
void erc20_transfer_data(uint8_t out[ERC20_TRANSFER_SIZE], const struct addr *to,
			 const struct u256 *value);
void erc20_balance_data(uint8_t out[ERC20_BALANCE_SIZE], const struct addr *owner);

/* Where this contract keeps an owner's balance. */
struct hash erc20_balance_slot(const struct addr *owner);

#endif
