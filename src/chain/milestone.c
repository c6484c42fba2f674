#include "chain/milestone.h"

#include "chain/tx.h"
#include "codec/rlp.h"
#include "crypto/mmr.h"

void milestone_encode(struct buf *out, const struct milestone *m)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, m->index);
	hash_list_encode(out, &m->named);
	rlp_list_close(out, list);
}

int milestone_decode(struct milestone *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "milestone", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct rlp_reader r;
	struct milestone m;

	decode_top(&d, &r, rlp);
	decode_u64(&d, &r, "index", &m.index);
	decode_hash_set(&d, &r, "named witnesses", MILESTONE_NAMED_MAX, &m.named);
	decode_end(&d, &r);
	if (d.status == OK)
		*out = m;
	return d.status;
}

void milestone_witnesses_root(const struct milestone *m, struct hash *out)
{
	struct mmr tree;

	/* A mountain range whose peaks are bagged from the right is RFC 6962's tree:
	 * both split a list at the largest power of two below its length. */
	mmr_init(&tree);
	for (size_t i = 0; i < m->named.count; i++) {
		struct hash id = hash_list_at(&m->named, i);

		mmr_append(&tree, NULL, &id);
	}
	mmr_root(&tree, out);
}
