/* A block's fields against what they must be; the first that differs is named. */
#include <inttypes.h>

#include "codec/hex.h"
#include "exec/internal.h"

static int differ(struct err *err, const char *field, const char *have, const char *want)
{
	return ERR_SET(err, EXEC_E_BLOCK, "block: %s is %s and must be %s", field, have, want);
}

static int compare_u64(struct err *err, const char *field, uint64_t have, uint64_t want)
{
	if (have == want)
		return OK;
	return ERR_SET(err, EXEC_E_BLOCK, "block: %s is %" PRIu64 " and must be %" PRIu64, field,
		       have, want);
}

static int compare_hash(struct err *err, const char *field, const struct hash *have,
			const struct hash *want)
{
	char a[HEX_HASH_SIZE], b[HEX_HASH_SIZE];

	if (hash_equal(have, want))
		return OK;
	return differ(err, field, hex_data(a, hash_bytes(have)), hex_data(b, hash_bytes(want)));
}

static int compare_addr(struct err *err, const char *field, const struct addr *have,
			const struct addr *want)
{
	char a[HEX_ADDR_SIZE], b[HEX_ADDR_SIZE];

	if (addr_equal(have, want))
		return OK;
	return differ(err, field, hex_data(a, addr_bytes(have)), hex_data(b, addr_bytes(want)));
}

static int compare_wei(struct err *err, const char *field, struct wei have, struct wei want)
{
	char a[U256_DECIMAL_MAX + 1], b[U256_DECIMAL_MAX + 1];

	if (wei_compare(have, want) == 0)
		return OK;
	return differ(err, field, u256_to_decimal(a, &have.n), u256_to_decimal(b, &want.n));
}

static int compare_commitments(const struct commitments *have, const struct commitments *want,
			       struct err *err)
{
	int rc = compare_hash(err, "validators hash", &have->validators_hash,
			      &want->validators_hash);

	if (!rc)
		rc = compare_hash(err, "next validators hash", &have->next_validators_hash,
				  &want->next_validators_hash);
	if (!rc)
		rc = compare_hash(err, "history root", &have->history_root, &want->history_root);
	if (!rc)
		rc = compare_u64(err, "milestone index", have->milestone_index,
				 want->milestone_index);
	if (!rc)
		rc = compare_hash(err, "witnesses root", &have->witnesses_root,
				  &want->witnesses_root);
	if (!rc)
		rc = compare_hash(err, "confirmed root", &have->confirmed_root,
				  &want->confirmed_root);
	if (!rc)
		rc = compare_u64(err, "confirmed count", have->confirmed_count,
				 want->confirmed_count);
	return rc;
}

static int compare_withdrawals(const struct block *have, const struct block *want, struct err *err)
{
	int rc = compare_u64(err, "withdrawal count", have->withdrawal_count,
			     want->withdrawal_count);

	for (size_t i = 0; !rc && i < want->withdrawal_count; i++) {
		const struct withdrawal *a = &have->withdrawals[i], *b = &want->withdrawals[i];

		rc = compare_u64(err, "withdrawal index", a->index, b->index);
		if (!rc)
			rc = compare_u64(err, "withdrawal validator index", a->validator_index,
					 b->validator_index);
		if (!rc)
			rc = compare_addr(err, "withdrawal address", &a->address, &b->address);
		if (!rc)
			rc = compare_u64(err, "withdrawal amount", a->amount_gwei, b->amount_gwei);
	}
	return rc;
}

int compare_before(const struct block *have, const struct block *want, struct err *err)
{
	const struct header *a = &have->header, *b = &want->header;
	int rc = compare_hash(err, "parentHash", &a->parent_hash, &b->parent_hash);

	if (!rc)
		rc = compare_u64(err, "number", a->height, b->height);
	if (!rc)
		rc = compare_addr(err, "miner", &a->coinbase, &b->coinbase);
	if (!rc)
		rc = compare_u64(err, "timestamp", a->timestamp, b->timestamp);
	if (!rc)
		rc = compare_u64(err, "gasLimit", a->gas_limit, b->gas_limit);
	if (!rc)
		rc = compare_wei(err, "baseFeePerGas", a->base_fee, b->base_fee);
	if (!rc)
		rc = compare_hash(err, "mixHash", &a->mix_hash, &b->mix_hash);
	if (!rc)
		rc = compare_hash(err, "parentBeaconBlockRoot", &a->parent_beacon_root,
				  &b->parent_beacon_root);
	if (!rc)
		rc = compare_commitments(&have->commitments, &want->commitments, err);
	if (!rc)
		rc = compare_hash(err, "extraData", &a->extra_data, &b->extra_data);
	if (!rc)
		rc = compare_withdrawals(have, want, err);
	if (!rc)
		rc = compare_hash(err, "withdrawalsRoot", &a->withdrawals_root,
				  &b->withdrawals_root);
	if (!rc)
		rc = compare_hash(err, "transactionsRoot", &a->transactions_root,
				  &b->transactions_root);
	return rc;
}

int compare_after(const struct block *have, const struct block *want, struct err *err)
{
	const struct header *a = &have->header, *b = &want->header;
	int rc = compare_u64(err, "gasUsed", a->gas_used, b->gas_used);

	if (!rc)
		rc = compare_hash(err, "receiptsRoot", &a->receipts_root, &b->receipts_root);
	if (!rc && memcmp(&a->logs_bloom, &b->logs_bloom, sizeof(a->logs_bloom)) != 0)
		return ERR_SET(err, EXEC_E_BLOCK, "block: logsBloom is not that of its logs");
	return rc;
}

int compare_state_root(const struct block *have, const struct block *want, struct err *err)
{
	int rc = compare_hash(err, "stateRoot", &have->header.state_root, &want->header.state_root);

	return rc ? rc : compare_hash(err, "hash", &have->hash, &want->hash);
}
