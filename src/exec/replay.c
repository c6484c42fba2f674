#include "exec/replay.h"

#include "exec/internal.h"

int exec_replay_begin(struct exec_replay *r, struct exec *x, const struct header *header,
		      struct state_view view, struct err *err)
{
	*r = (struct exec_replay){
		.x = x,
		.block = {
			.height = header->height,
			.timestamp = header->timestamp,
			.gas_limit = header->gas_limit,
			.chain_id = x->params->chain_id,
			.coinbase = header->coinbase,
			.prev_randao = header->mix_hash,
			.base_fee = header->base_fee,
			.blob_base_fee = wei_of(1),
			.revision = x->params->revision,
		},
		.gas_left = header->gas_limit,
	};
	overlay_reset(x->overlay, view);
	return exec_system_begin(x, header, err);
}

int exec_replay_tx(struct exec_replay *r, const struct tx *t, struct receipt *out, struct err *err)
{
	int rc = transaction_execute(r->x, &r->block, t, r->gas_left, out, err);

	if (rc)
		return rc;
	r->gas_left -= out->gas_used;
	r->cumulative_gas += out->gas_used;
	out->cumulative_gas_used = r->cumulative_gas;
	return OK;
}

struct state_view exec_state(struct exec *x)
{
	return overlay_view(x->overlay);
}
