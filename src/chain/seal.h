/*
 * seal - a validator's signature over a digest: how it is written, made and
 * verified.
 *
 * On the wire it is one string of 65 bytes: r ‖ s ‖ recovery id (0 or 1), with s
 * in the lower half, so that nobody but the signer can write a second one. It
 * names no key: it recovers to the address of the set's member that the message
 * names by index.
 *
 * Verifying costs about 45 µs and touches nothing else: collect the seals of a
 * message (message_seals(), certificate_seals()) and hand them to any thread.
 */
#ifndef WEFT_CHAIN_SEAL_H
#define WEFT_CHAIN_SEAL_H

#include "base/buf.h"
#include "chain/decode.h"
#include "chain/domain.h"
#include "crypto/ecc.h"

#define SEAL_SIZE 65

/* A signature with what it takes to verify it. */
struct seal {
	struct hash digest;
	struct signature signature;
	struct addr signer;
};

/* True if `signer` signed `digest`. */
bool seal_verify(const struct ecc *e, const struct seal *s);

/* Writes a signature as one RLP string; reads it, ranges of s and recovery id
 * included. */
void seal_put(struct buf *out, const struct signature *signature);
void seal_decode(struct decoder *d, struct rlp_reader *r, const char *field,
		 struct signature *out);

/* Begins the signed list [domain, chain id, …]: append the fields, then finish. */
size_t seal_open(struct buf *out, enum domain domain, uint64_t chain_id);
void seal_close(struct buf *out, size_t list, struct hash *digest); /* clears `out` */

#endif
