/* The least gas limit with which a call succeeds. */
#include <inttypes.h>

#include "base/check.h"
#include "exec/calling.h"

#define CALL_STIPEND 2300
/* Below it a gas limit is not meant (geth). */
#define GAS_LIMIT_LEAST 21000

/* The highest limit that a transaction could have, and the sender pay for. */
static int highest(struct calling *c, const struct header *h, uint64_t *out, struct err *err)
{
	const struct exec *x = c->x;

	*out = h->gas_limit;
	if (c->call.has_gas && c->call.gas >= GAS_LIMIT_LEAST)
		*out = c->call.gas;
	if (x->params->revision >= REVISION_OSAKA)
		*out = MIN(*out, TX_GAS_LIMIT_MAX);
	*out = MIN(*out, x->call_gas_cap);
	return calling_afford(c, out, err);
}

static int refuse_allowance(uint64_t high, struct err *err)
{
	return ERR_SET(err, EXEC_E_GAS_LIMIT, "gas required exceeds allowance (%" PRIu64 ")", high);
}

/* What a call that fails with all gas is refused with. */
static int refuse(const struct exec_call_result *r, uint64_t high, struct err *err)
{
	char text[VM_REASON_TEXT_MAX];

	if (r->reverted)
		return ERR_SET(err, EXEC_E_REVERTED, "execution reverted");
	if (r->reason.kind == VM_FAILED_GAS)
		return refuse_allowance(high, err);
	return ERR_SET(err, EXEC_E_FAILED, "%s", vm_reason_text(text, &r->reason));
}

static int try_gas(struct calling *c, uint64_t gas, bool *success, struct err *err)
{
	struct exec_call_result r;
	int rc;

	if (host_is_stopped(&c->x->host))
		return host_stopped(&c->x->host, err);
	rc = calling_run(c, gas, &r, err);
	*success = !rc && r.success;
	if (!rc)
		exec_call_result_clear(&r);
	return rc == EXEC_E_GAS_LIMIT ? OK : rc;
}

/* `first` succeeded with `high`. What it had spent before refunds is the least, unless
 * calls held gas back (EIP-150) or looked at it: then a 63rd more, then halves. Once all
 * attempts have run the cap, the lowest that did is good enough. */
static int search(struct calling *c, const struct exec_call_result *first, uint64_t high,
		  uint64_t *out, struct err *err)
{
	const uint64_t guesses[] = { first->gas_peak,
				     (first->gas_peak + CALL_STIPEND) / 63 * 64 + 63 };
	uint64_t low = first->gas_used - 1; /* failed, or is too low for certain */
	size_t next = 0;

	while (low + 1 < high && c->gas_run < c->x->call_gas_cap) {
		uint64_t middle = low + (high - low) / 2, gas = middle;
		bool success;
		int rc;

		if (next < ARRAY_COUNT(guesses) && guesses[next] > low && guesses[next] < high)
			gas = guesses[next];
		next++;
		rc = try_gas(c, gas, &success, err);
		if (rc)
			return rc;
		if (success)
			high = gas;
		else
			low = gas;
	}
	*out = high;
	return OK;
}

int exec_estimate_gas(struct exec *x, const struct exec_parent *parent, struct state_view view,
		      const struct exec_call *call, uint64_t *out_gas,
		      struct exec_call_result *result, struct err *err)
{
	struct exec_call_result first = { 0 };
	struct calling c;
	uint64_t high;
	int rc = calling_begin(&c, x, parent, view, call, err);

	if (result)
		*result = first;
	if (rc)
		return rc;
	rc = highest(&c, &parent->header, &high, err);
	if (!rc)
		rc = calling_run(&c, high, &first, err);
	if (rc == EXEC_E_GAS_LIMIT)
		rc = refuse_allowance(high, err);
	else if (!rc)
		rc = first.success ? search(&c, &first, high, out_gas, err)
				   : refuse(&first, high, err);
	first.gas_run = c.gas_run;
	if (result)
		*result = first;
	else
		exec_call_result_clear(&first);
	calling_end(&c);
	return rc;
}
