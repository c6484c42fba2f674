#include "app/state_post.h"

#include "base/check.h"
#include "codec/hex.h"

static void put_u256(struct jout *j, const struct u256 *n)
{
	uint8_t bytes[32];

	u256_to_be32(bytes, n);
	jout_quantity_be(j, bytes_of(bytes, sizeof(bytes)));
}

static void put_logs(struct jout *j, const struct receipt *r)
{
	jout_array(j);
	for (size_t i = 0; i < r->log_count; i++) {
		const struct log_entry *l = &r->logs[i];

		jout_object(j);
		jout_key(j, "address");
		jout_data(j, addr_bytes(&l->address));
		jout_key(j, "topics");
		jout_array(j);
		for (size_t k = 0; k < l->topic_count; k++)
			jout_data(j, hash_bytes(&l->topics[k]));
		jout_array_end(j);
		jout_key(j, "data");
		jout_data(j, l->data);
		jout_object_end(j);
	}
	jout_array_end(j);
}

/* --- accounts: slots stand in the difference by address --- */

static void put_storage(struct jout *j, const struct state_diff *d, const struct addr *a)
{
	jout_object(j);
	for (size_t i = 0; i < d->slot_count; i++) {
		const struct slot_change *s = &d->slots[i];
		char slot[HEX_HASH_SIZE];

		if (!addr_equal(&s->address, a))
			continue;
		jout_key(j, hex_data(slot, hash_bytes(&s->slot)));
		put_u256(j, &s->after);
	}
	jout_object_end(j);
}

static void put_code(struct jout *j, const struct state_diff *d, const struct hash *code_hash)
{
	struct bytes code = { 0 };

	for (size_t i = 0; i < d->code_count; i++)
		if (hash_equal(&d->codes[i].code_hash, code_hash))
			code = d->codes[i].code;
	jout_data(j, code);
}

static void put_account(struct jout *j, const struct state_diff *d, const struct account_change *c)
{
	if (account_is_empty(&c->after)) {
		jout_null(j);
		return;
	}
	jout_object(j);
	jout_key(j, "nonce");
	jout_quantity(j, c->after.nonce);
	jout_key(j, "balance");
	put_u256(j, &c->after.balance.n);
	if (!hash_equal(&c->before.code_hash, &c->after.code_hash)) {
		jout_key(j, "code");
		put_code(j, d, &c->after.code_hash);
	}
	jout_key(j, "storage");
	put_storage(j, d, &c->address);
	jout_object_end(j);
}

static void put_accounts(struct jout *j, const struct state_diff *d)
{
	jout_object(j);
	for (size_t i = 0; i < d->account_count; i++) {
		char address[HEX_ADDR_SIZE];

		jout_key(j, hex_data(address, addr_bytes(&d->accounts[i].address)));
		put_account(j, d, &d->accounts[i]);
	}
	jout_object_end(j);
}

/* --- the line --- */

static void keep_output(void *ctx, const struct vm_message *m, enum vm_status status,
			uint64_t gas_left, struct bytes output)
{
	(void)status;
	(void)gas_left;
	if (m->depth == 0) {
		buf_reset(ctx);
		buf_append_bytes(ctx, output);
	}
}

static void put_outcome(struct jout *j, const struct state_outcome *o, struct bytes output)
{
	jout_key(j, "success");
	jout_bool(j, o->receipt.success);
	jout_key(j, "gasUsed");
	jout_quantity(j, o->receipt.gas_used);
	jout_key(j, "output");
	jout_data(j, output);
	jout_key(j, "logs");
	put_logs(j, &o->receipt);
	jout_key(j, "root");
	jout_data(j, hash_bytes(&o->root));
	jout_key(j, "missing");
	jout_bool(j, o->met_missing);
	jout_key(j, "accounts");
	put_accounts(j, &o->diff);
}

static bool is_same(const struct state_outcome *a, const struct state_outcome *b)
{
	return a->code == b->code && hash_equal(&a->root, &b->root) &&
	       hash_equal(&a->logs, &b->logs) && a->receipt.success == b->receipt.success &&
	       a->receipt.gas_used == b->receipt.gas_used;
}

bool state_post_write(struct buf *out, struct state_world *w, const struct ecc *ecc,
		      const char *name, const struct jval *post)
{
	struct buf output = { 0 };
	const struct vm_tracer tracer = { .ctx = &output, .leave = keep_output };
	struct state_outcome plain, traced;
	struct jout j;
	bool same;

	state_world_run(w, ecc, post, NULL, &plain);
	state_world_run(w, ecc, post, &tracer, &traced);
	same = is_same(&plain, &traced);
	jout_init(&j, out);
	jout_object(&j);
	jout_key(&j, "name");
	jout_str(&j, name);
	if (!same) {
		jout_key(&j, "differs");
		jout_str(&j, "with a tracer it came to something else");
	} else if (plain.code != OK) {
		jout_key(&j, "refused");
		jout_str(&j, plain.err.message);
	} else {
		put_outcome(&j, &plain, buf_bytes(&output));
	}
	jout_object_end(&j);
	buf_append_byte(out, '\n');
	state_outcome_clear(&plain);
	state_outcome_clear(&traced);
	buf_clear(&output);
	return same;
}
