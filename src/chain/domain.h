/*
 * domain - what a signature is about: the first item of every signed list, so
 * that a signature given for one purpose is worth nothing for another.
 *
 * Every digest is keccak256(rlp([domain, chain id, fields…])); transactions
 * alone follow Ethereum. No domain is the beginning of another.
 */
#ifndef WEFT_CHAIN_DOMAIN_H
#define WEFT_CHAIN_DOMAIN_H

#define DOMAIN_TABLE(X)                       \
	X(PRE_PREPARE, "weft/pre-prepare")    \
	X(PREPARE, "weft/prepare")            \
	X(COMMIT, "weft/commit")              \
	X(VIEW_CHANGE, "weft/view-change")    \
	X(CHECKPOINT, "weft/checkpoint")      \
	X(VERTEX, "weft/vertex")              \
	X(WITNESS, "weft/witness")            \
	X(HELLO, "weft/hello")                \
	X(NODE_RECORD, "weft/node-record")

enum domain {
#define X(name, text) DOMAIN_##name,
	DOMAIN_TABLE(X)
#undef X
	DOMAIN_COUNT
};

static inline const char *domain_text(enum domain d)
{
	static const char *const texts[] = {
#define X(name, text) [DOMAIN_##name] = text,
		DOMAIN_TABLE(X)
#undef X
	};

	return texts[d];
}

#endif
