#include "exec/validators_state.h"

#include "base/check.h"
#include "crypto/keccak.h"
#include "exec/host.h"
#include "exec/native.h"

const struct validator_set validators_no_set;

/* --- where things stand --- */

static struct hash slot_of(struct bytes key, const char *what)
{
	struct hash slot;
	struct keccak k;

	keccak_init(&k);
	keccak_update(&k, key);
	keccak_update(&k, bytes_of_str(what));
	keccak_final(&k, &slot);
	return slot;
}

static void put_address(uint8_t word[32], const struct addr *a)
{
	memset(word, 0, 12);
	memcpy(word + 12, a->bytes, sizeof(a->bytes));
}

static struct hash slot_of_index(uint64_t index, const char *what)
{
	struct hash key = exec_slot(index);

	return slot_of(hash_bytes(&key), what);
}

static struct hash slot_of_address(const struct addr *a, const char *what)
{
	uint8_t key[32];

	put_address(key, a);
	return slot_of(bytes_of(key, sizeof(key)), what);
}

struct hash validators_member_slot(enum validators_which which, uint64_t index)
{
	return slot_of_index(index, which == VALIDATORS_PRESENT ? "validator" : "next validator");
}

struct hash validators_weight_slot(enum validators_which which, const struct addr *validator)
{
	return slot_of_address(validator, which == VALIDATORS_PRESENT ? "weight" : "next weight");
}

struct hash validators_vote_slot(const struct addr *validator, const struct addr *voter)
{
	uint8_t key[64];

	put_address(key, validator);
	put_address(key + 32, voter);
	return slot_of(bytes_of(key, sizeof(key)), "vote");
}

struct hash validators_subject_slot(uint64_t index)
{
	return slot_of_index(index, "subject");
}

struct hash validators_is_subject_slot(const struct addr *validator)
{
	return slot_of_address(validator, "is subject");
}

/* --- one slot --- */

static int broken(struct err *err, const char *what)
{
	return ERR_SET(err, EXEC_E_MEDIUM, "the state of the contract \"validators\" is broken: %s", what);
}

int validators_load_u64(const struct validators_slots *s, struct hash slot, uint64_t *out, struct err *err)
{
	struct u256 value;
	int rc = s->get(s->ctx, &slot, &value, err);

	if (rc)
		return rc;
	if (!u256_fits_u64(&value))
		return broken(err, "a number of more than 64 bits");
	*out = value.limbs[0];
	return OK;
}

int validators_load_addr(const struct validators_slots *s, struct hash slot, struct addr *out, struct err *err)
{
	struct u256 value;
	uint8_t word[32];
	int rc = s->get(s->ctx, &slot, &value, err);

	if (rc)
		return rc;
	u256_to_be32(word, &value);
	memcpy(out->bytes, word + 12, sizeof(out->bytes));
	return OK;
}

int validators_store_u64(const struct validators_slots *s, struct hash slot, uint64_t value, struct err *err)
{
	struct u256 word = u256_of(value);

	return s->put(s->ctx, &slot, &word, err);
}

int validators_store_addr(const struct validators_slots *s, struct hash slot, const struct addr *value,
		     struct err *err)
{
	struct u256 word = u256_from_be(addr_bytes(value));

	return s->put(s->ctx, &slot, &word, err);
}

/* --- a set --- */

static struct hash count_slot(enum validators_which which)
{
	return exec_slot(which == VALIDATORS_PRESENT ? VALIDATORS_SLOT_COUNT : VALIDATORS_SLOT_NEXT_COUNT);
}

static struct hash total_slot(enum validators_which which)
{
	return exec_slot(which == VALIDATORS_PRESENT ? VALIDATORS_SLOT_TOTAL : VALIDATORS_SLOT_NEXT_TOTAL);
}

int validators_load_set(const struct validators_slots *s, enum validators_which which, struct validator_set *out,
		   struct err *err)
{
	struct validator members[VALIDATOR_COUNT_MAX];
	uint64_t count;
	int rc = validators_load_u64(s, count_slot(which), &count, err);

	if (rc)
		return rc;
	if (count > VALIDATOR_COUNT_MAX)
		return broken(err, "too many validators");
	for (uint64_t i = 0; !rc && i < count; i++) {
		rc = validators_load_addr(s, validators_member_slot(which, i), &members[i].address, err);
		if (!rc)
			rc = validators_load_u64(s, validators_weight_slot(which, &members[i].address),
					    &members[i].weight.n, err);
	}
	if (rc)
		return rc;
	return validator_set_init(out, members, count, err) ? broken(err, "no set of validators") : OK;
}

static int store_member(const struct validators_slots *s, enum validators_which which, const struct validator_set *old,
			const struct validator_set *set, size_t i, struct err *err)
{
	static const struct addr nobody;
	const struct addr *before = i < old->count ? &old->members[i].address : &nobody;
	const struct addr *after = i < set->count ? &set->members[i].address : &nobody;

	if (addr_equal(before, after))
		return OK;
	return validators_store_addr(s, validators_member_slot(which, i), after, err);
}

static uint64_t weight_in(const struct validator_set *set, const struct addr *validator)
{
	int index = validator_set_find(set, validator);

	return index < 0 ? 0 : set->members[index].weight.n;
}

/* The weights in `set` of the members of `of`, where `old` has others. */
static int store_weights(const struct validators_slots *s, enum validators_which which, const struct validator_set *of,
			 const struct validator_set *old, const struct validator_set *set, struct err *err)
{
	int rc = OK;

	for (size_t i = 0; !rc && i < of->count; i++) {
		const struct addr *validator = &of->members[i].address;
		uint64_t weight = weight_in(set, validator);

		if (weight != weight_in(old, validator))
			rc = validators_store_u64(s, validators_weight_slot(which, validator), weight, err);
	}
	return rc;
}

int validators_store_set(const struct validators_slots *s, enum validators_which which, const struct validator_set *old,
		    const struct validator_set *set, struct err *err)
{
	int rc = OK;

	if (old->count != set->count)
		rc = validators_store_u64(s, count_slot(which), set->count, err);
	if (!rc && old->total.n != set->total.n)
		rc = validators_store_u64(s, total_slot(which), set->total.n, err);
	for (size_t i = 0; !rc && i < MAX(old->count, set->count); i++)
		rc = store_member(s, which, old, set, i, err);
	if (!rc)
		rc = store_weights(s, which, old, old, set, err);
	return rc ? rc : store_weights(s, which, set, old, set, err);
}

/* --- from a view --- */

static int get_from_view(void *ctx, const struct hash *slot, struct u256 *out, struct err *err)
{
	const struct state_view *state = ctx;

	return state_storage(state, out, &native_validators_address, slot, err) ? exec_medium(err) : OK;
}

static struct validators_slots slots_of_view(const struct state_view *state)
{
	return (struct validators_slots){ .get = get_from_view, .ctx = (void *)(uintptr_t)state };
}

int exec_read_epoch(const struct state_view *state, struct epoch *out, struct err *err)
{
	const struct validators_slots s = slots_of_view(state);
	int rc = validators_load_u64(&s, exec_slot(VALIDATORS_SLOT_NUMBER), &out->number, err);

	if (!rc)
		rc = validators_load_u64(&s, exec_slot(VALIDATORS_SLOT_FIRST), &out->first, err);
	if (!rc)
		rc = validators_load_u64(&s, exec_slot(VALIDATORS_SLOT_START_MS), &out->start_ms, err);
	return rc ? rc : validators_load_set(&s, VALIDATORS_PRESENT, &out->set, err);
}

int exec_read_next_set(const struct state_view *state, struct validator_set *out, struct err *err)
{
	const struct validators_slots s = slots_of_view(state);

	return validators_load_set(&s, VALIDATORS_NEXT, out, err);
}

/* --- votes --- */

static int each_of_subject(const struct validators_slots *s, const struct addr *subject,
			   const struct validator_set *present, const struct validator_set *next,
			   exec_vote_fn fn, void *arg, bool *is_open, struct err *err)
{
	uint64_t standing = weight_in(next, subject);
	int rc = OK;

	*is_open = false;
	for (size_t i = 0; !rc && i < present->count; i++) {
		struct exec_vote vote = { .validator = *subject, .voter = present->members[i].address };
		uint64_t stored = 0;

		rc = validators_load_u64(s, validators_vote_slot(subject, &vote.voter), &stored, err);
		if (rc || stored == 0 || stored - 1 == standing)
			continue;
		vote.weight = stored - 1;
		*is_open = true;
		fn(arg, &vote);
	}
	return rc;
}

int exec_each_open_vote(const struct state_view *state, const struct validator_set *present,
			const struct validator_set *next, size_t subject_max, exec_vote_fn fn,
			void *arg, struct err *err)
{
	const struct validators_slots s = slots_of_view(state);
	uint64_t count = 0;
	int rc = validators_load_u64(&s, exec_slot(VALIDATORS_SLOT_SUBJECT_COUNT), &count, err);

	for (uint64_t left = MIN(count, (uint64_t)subject_max); !rc && left > 0; left--) {
		struct addr subject;
		bool is_open;

		rc = validators_load_addr(&s, validators_subject_slot(--count), &subject, err);
		if (!rc)
			rc = each_of_subject(&s, &subject, present, next, fn, arg, &is_open, err);
	}
	return rc;
}

/* --- into an overlay --- */

static int get_from_overlay(void *ctx, const struct hash *slot, struct u256 *out, struct err *err)
{
	return overlay_storage(ctx, out, &native_validators_address, slot, err) ? exec_medium(err) : OK;
}

static int put_into_overlay(void *ctx, const struct hash *slot, const struct u256 *value, struct err *err)
{
	return overlay_set_storage(ctx, &native_validators_address, slot, value, err) ? exec_medium(err) : OK;
}

int validators_begin_epoch(struct overlay *overlay, const struct epoch *old, const struct epoch *epoch,
		struct err *err)
{
	const struct validators_slots s = { get_from_overlay, put_into_overlay, overlay };
	int rc = validators_store_u64(&s, exec_slot(VALIDATORS_SLOT_NUMBER), epoch->number, err);

	if (!rc)
		rc = validators_store_u64(&s, exec_slot(VALIDATORS_SLOT_FIRST), epoch->first, err);
	if (!rc)
		rc = validators_store_u64(&s, exec_slot(VALIDATORS_SLOT_START_MS), epoch->start_ms, err);
	return rc ? rc : validators_store_set(&s, VALIDATORS_PRESENT, &old->set, &epoch->set, err);
}

int validators_write_genesis(struct overlay *overlay, const struct genesis *g, struct err *err)
{
	const struct validators_slots s = { get_from_overlay, put_into_overlay, overlay };
	struct epoch nothing = { .set = validators_no_set }, epoch;
	int rc;

	epoch_genesis(&epoch, g);
	rc = validators_begin_epoch(overlay, &nothing, &epoch, err);
	return rc ? rc : validators_store_set(&s, VALIDATORS_NEXT, &validators_no_set, &g->validators, err);
}
