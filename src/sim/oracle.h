/*
 * oracle - what must never happen, found by other means than the code that is to be
 * checked: it reads RLP itself, counts weights itself, and keeps accounts itself, of
 * the transfers that it knows were sent. What it shares with the product is the hash
 * function, the (stubbed) recovery of a signer, and base.
 *
 *   heads (as RPC's readers see them)    frames (as they leave a correct node)
 *     one block a height, for ever         one value a (key, height, view, kind), for ever
 *     what was read stays readable
 *     certificate: distinct members of
 *       the height's set, Q of weight
 *     transactions: those sent, once,
 *       in order of their nonces
 *     the set: by the votes that were sent
 *     accounts as the model says;
 *       coins: genesis + rewards - burned
 *     pools below their caps               evidence never against a correct validator,
 *                                            some against one that votes twice
 */
#ifndef WEFT_SIM_ORACLE_H
#define WEFT_SIM_ORACLE_H

#include "base/bytes.h"

struct sim;
struct site;
struct tx;
struct oracle;

struct oracle *oracle_new(const struct sim *sim);
void oracle_free(struct oracle *o);

/* The client made this transfer, or vote. */
void oracle_sent(struct oracle *o, const struct sim *sim, const struct tx *t, size_t index);

/* A node shows a new head, or its first one. */
void oracle_head(struct oracle *o, struct sim *sim, struct site *s);

/* A node lost its disk, and starts with nothing. */
void oracle_forget(struct oracle *o, size_t site);

/* A consensus message leaves a correct node, encoded. */
void oracle_message(struct oracle *o, struct sim *sim, const struct site *s, struct bytes message);

/* The highest block that anyone has shown, and the highest view signed at the next height. */
uint64_t oracle_height(const struct oracle *o);
uint64_t oracle_view(const struct oracle *o);

/* And so does a checkpoint: its own, or another's that it tells on. */
void oracle_checkpoint(struct oracle *o, struct sim *sim, const struct site *s, struct bytes checkpoint);

/* The hash of the set that decides a height. */
struct hash oracle_set_hash(const struct oracle *o, uint64_t height);

/* Whether liars and bad disks would have at most f of the next set with this weight in it,
 * and it is a set. */
bool oracle_may_weigh(const struct oracle *o, const struct sim *sim, size_t site, uint64_t weight);
/* Of the set that decides the next height. */
bool oracle_is_member(const struct oracle *o, size_t site);

/* At the end: every correct node still has all that it showed. */
void oracle_end(struct oracle *o, struct sim *sim);

#endif
