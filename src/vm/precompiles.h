/*
 * precompiles - the contracts at fixed addresses that are computed natively.
 *
 *   0x01 ecrecover   0x02 sha256      0x03 ripemd160   0x04 identity
 *   0x05 modexp      0x06 bn254 add   0x07 bn254 mul   0x08 bn254 pairing
 *   0x09 blake2f     0x0100 P-256 verification (Osaka, EIP-7951)
 *
 * 0x0a (KZG, EIP-4844) and 0x0b-0x11 (BLS12-381, EIP-2537) are addresses of
 * precompiles, hence warm, and do not exist here: a call to one fails with all its gas.
 */
#ifndef WEFT_VM_PRECOMPILES_H
#define WEFT_VM_PRECOMPILES_H

#include "crypto/ecc.h"
#include "crypto/p256.h"
#include "vm/host.h"

/* What precompiles of a machine share. */
struct precompiles {
	enum revision revision;
	const struct ecc *ecc;
	struct p256 *p256;
};

/* Whether the address is a precompile's at a revision; those that do not exist here count. */
bool precompile_at(const struct addr *address, enum revision revision, uint16_t *number);

/* The last number below 0x0100. */
uint16_t precompile_last(enum revision revision);

/* True if it is one of those that are computed here. */
bool precompile_exists(uint16_t number);

/* Computes: *out has come with the gas that is there; status, the gas that is left, output. */
void precompile_run(const struct precompiles *p, uint16_t number, struct bytes input,
		    struct vm_result *out);

#endif
