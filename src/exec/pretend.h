/*
 * pretend - a state with overrides above it: what a call finds that asks "what if?".
 *
 *   overlay ──► pretence: accounts, slots and code of the override ──► view of the chain
 *
 * Nothing is copied: a read looks into the override's sorted lists first. What is
 * pretended was so before the call began, so SSTORE's original values (EIP-2200) are
 * those of the override.
 *
 * An address that is overridden is no precompile any more, as in geth; the precompile
 * may be moved to another one. A native contract stays one unless it is given code.
 */
#ifndef WEFT_EXEC_PRETEND_H
#define WEFT_EXEC_PRETEND_H

#include "chain/override.h"
#include "chain/params.h"
#include "state/view.h"

struct pretence_move;

struct pretence {
	struct state_view base;
	enum revision revision;
	struct state_override override;
	struct hash *code_hashes;    /* of each account's code, if it has one */
	struct pretence_move *moves; /* of precompiles */
	size_t move_count;
};

/* `override` and `base` are borrowed. EXEC_E_OVERRIDE if it moves what is no precompile;
 * the pretence is then empty. Cost: a hash of all code. */
int pretence_init(struct pretence *p, struct state_view base, const struct state_override *override,
		  enum revision revision, struct err *err);
void pretence_clear(struct pretence *p);

/* The state as it is pretended: `base` itself where nothing is. */
struct state_view pretence_view(struct pretence *p);

/* precompile_at() in this world. */
bool pretence_precompile(const struct pretence *p, const struct addr *address, uint16_t *number);

/* Whether the account has been given code, which stands for what else would be there. */
bool pretence_has_code(const struct pretence *p, const struct addr *address);

#endif
