/* Evidence: found by one, known to all, kept, and what proves nothing costs its sender. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "network.h"
#include "store/scratch.h"

static struct message vote_of(const struct network *net, size_t site, enum message_kind kind, uint64_t height,
			      uint64_t view, uint8_t hash)
{
	const struct validator_set *set = &net->genesis.validators;
	int index = validator_set_find(set, &net->sites[site].address);
	struct message m = { .kind = kind };

	cr_assert_geq(index, 0);
	if (kind == MESSAGE_VIEW_CHANGE) {
		m.view_change = (struct view_change){
			.height = height, .view = view, .validator = (size_t)index, .has_prepared = hash > 1,
			.prepared_view = 0, .prepared_hash = { { hash } },
		};
	} else if (kind == MESSAGE_PRE_PREPARE) {
		m.pre_prepare = (struct pre_prepare){
			.height = height, .view = view, .validator = (size_t)index, .block_hash = { { hash } },
		};
	} else {
		m.vote = (struct vote){
			.kind = kind, .height = height, .view = view, .validator = (size_t)index,
			.block_hash = { { hash } },
		};
	}
	if (m.kind == MESSAGE_VIEW_CHANGE && hash <= 1)
		m.view_change.prepared_hash = (struct hash){ 0 };
	cr_assert_eq(message_sign(&m, 31337, &set->hash, net->ecc, &net->sites[site].key, NULL), OK);
	return m;
}

/* What a signature covers, as evidence has it. */
static void put_statement(struct buf *out, const struct message *m)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, m->kind);
	rlp_put_u64(out, message_height(m));
	rlp_put_u64(out, message_view(m));
	rlp_put_u64(out, message_validator(m));
	seal_put(out, message_signature(m));
	if (m->kind == MESSAGE_VIEW_CHANGE) {
		size_t claim = rlp_list_open(out);

		if (m->view_change.has_prepared) {
			rlp_put_u64(out, m->view_change.prepared_view);
			rlp_put_hash(out, &m->view_change.prepared_hash);
		}
		rlp_list_close(out, claim);
	} else {
		rlp_put_hash(out, message_block_hash(m));
	}
	rlp_list_close(out, list);
}

static struct buf evidence_of(const struct network *net, size_t liar, enum message_kind kind, uint64_t height,
			      uint64_t view)
{
	struct message a = vote_of(net, liar, kind, height, view, 1);
	struct message b = vote_of(net, liar, kind, height, view, 2);
	struct buf out = { 0 };
	size_t list = rlp_list_open(&out);

	put_statement(&out, &a);
	put_statement(&out, &b);
	rlp_list_close(&out, list);
	return out;
}

/* A peer says to all of its own what it likes. */
static void say(struct network *net, size_t from, struct bytes evidence)
{
	const struct addr everyone = { 0 };

	node_peers_send_evidence(net->sites[from].node, &everyone, evidence);
	run_for(net, 100);
}

static size_t kept(const struct network *net, size_t site)
{
	return net->sites[site].node->evidence.count;
}

static struct p2p_metrics p2p_of(const struct network *net, size_t site)
{
	struct p2p_metrics m;

	p2p_get_metrics(net->sites[site].node->p2p, &m);
	return m;
}

/* A liar's two prepares, each to somebody else. Whoever sees both tells all. */
Test(node_evidence, of_two_votes_reaches_everyone)
{
	struct network net;
	struct rpc_evidence_list list = { 0 };
	struct rpc_node_backend backend;
	struct p2p_event event = { .kind = P2P_EVENT_SEND_CONSENSUS };
	uint64_t height;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	height = net.sites[0].node->tip.header.height + 3;
	for (uint8_t k = 1; k <= 2; k++) {
		struct message m = vote_of(&net, 3, MESSAGE_PREPARE, height, 0, k);
		struct buf bytes = { 0 };

		message_encode(&bytes, &m);
		event.peer = net.sites[0].address;
		event.consensus = buf_bytes(&bytes);
		node_on_peer(net.sites[3].node, &event);
		run_for(&net, 50);
		buf_clear(&bytes);
	}
	for (size_t i = 0; i < 5; i++) {
		cr_assert_eq(kept(&net, i), 1, "node %zu", i);
		cr_assert_eq(net.sites[i].node->metrics.evidence_total, 1);
		cr_assert(net.sites[i].node->evidence.items[0]->is_given);
		cr_assert_eq(p2p_of(&net, i).offence_count[P2P_OFFENCE_EVIDENCE], 0);
	}
	backend = node_rpc_backend(net.sites[4].node);
	backend.ops->evidence(backend.ctx, &list);
	cr_assert_eq(list.count, 1);
	cr_expect(addr_equal(&list.items[0].validator, &net.sites[3].address));
	cr_expect_eq(list.items[0].height, height);
	cr_expect_str_eq(list.items[0].kind, "prepare");
	cr_expect(hash_equal(&list.items[0].validators_hash, &net.genesis.validators.hash));
	buf_clear(&list.items[0].first);
	buf_clear(&list.items[0].second);
	free(list.items);
	check_agreement(&net, 0);
	network_end(&net);
}

/* Every kind, once each; told again it goes no further. */
Test(node_evidence, of_every_kind_is_taken_once)
{
	struct network net;
	uint64_t frames;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	for (unsigned kind = MESSAGE_PRE_PREPARE; kind <= MESSAGE_VIEW_CHANGE; kind++) {
		struct buf e = evidence_of(&net, 1, (enum message_kind)kind, 2, 1);

		say(&net, 4, buf_bytes(&e));
		for (size_t i = 0; i < 4; i++)
			cr_assert_eq(kept(&net, i), kind, "node %zu kind %u", i, kind);
		frames = p2p_of(&net, 0).out_count[WIRE_EVIDENCE];
		say(&net, 4, buf_bytes(&e));
		cr_assert_eq(p2p_of(&net, 0).out_count[WIRE_EVIDENCE], frames);
		cr_assert_eq(kept(&net, 0), kind);
		buf_clear(&e);
	}
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(p2p_of(&net, i).offence_count[P2P_OFFENCE_EVIDENCE], 0);
	network_end(&net);
}

Test(node_evidence, that_proves_nothing_costs_its_sender)
{
	struct network net;
	struct message a, b;
	struct buf e = { 0 };
	size_t list;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	/* One statement twice. */
	a = vote_of(&net, 1, MESSAGE_PREPARE, 1, 0, 1);
	list = rlp_list_open(&e);
	put_statement(&e, &a);
	put_statement(&e, &a);
	rlp_list_close(&e, list);
	say(&net, 4, buf_bytes(&e));
	cr_assert_eq(p2p_of(&net, 0).offence_count[P2P_OFFENCE_EVIDENCE], 1);
	/* Two, and one of them is signed by nobody of the set. */
	buf_reset(&e);
	b = vote_of(&net, 1, MESSAGE_PREPARE, 1, 0, 2);
	b.vote.signature.s[20] ^= 1;
	list = rlp_list_open(&e);
	put_statement(&e, &a);
	put_statement(&e, &b);
	rlp_list_close(&e, list);
	say(&net, 4, buf_bytes(&e));
	cr_assert_eq(p2p_of(&net, 0).offence_count[P2P_OFFENCE_EVIDENCE], 2);
	/* No RLP at all; three statements; one too long. */
	say(&net, 4, bytes_of_str("nonsense"));
	cr_assert_eq(p2p_of(&net, 0).offence_count[P2P_OFFENCE_EVIDENCE], 3);
	buf_reset(&e);
	buf_append(&e, (uint8_t[60000]){ 0xb9, 0xea, 0x5d }, 60000);
	say(&net, 4, buf_bytes(&e));
	cr_assert_eq(p2p_of(&net, 0).offence_count[P2P_OFFENCE_EVIDENCE], 4);
	/* That was enough. */
	cr_assert_eq(p2p_of(&net, 0).ended_count[P2P_REASON_SCORE], 1);
	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(kept(&net, i), 0);
		cr_assert_eq(net.sites[i].node->metrics.evidence_refused_total, 4);
	}
	buf_clear(&e);
	check_agreement(&net, 0);
	network_end(&net);
}

/* What can't be judged here is no offence: too far above, or of a set that is not known. */
Test(node_evidence, that_cannot_be_judged_is_left)
{
	struct network net;
	struct buf e;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	e = evidence_of(&net, 1, MESSAGE_COMMIT, 5000, 0);
	say(&net, 4, buf_bytes(&e));
	buf_clear(&e);
	e = evidence_of(&net, 1, MESSAGE_COMMIT, UINT64_MAX, 0);
	say(&net, 4, buf_bytes(&e));
	buf_clear(&e);
	cr_assert_eq(kept(&net, 0), 0);
	cr_assert_eq(net.sites[0].node->metrics.evidence_needless_total, 2);
	cr_assert_eq(p2p_of(&net, 0).offence_count[P2P_OFFENCE_EVIDENCE], 0);
	network_end(&net);
}

/* One liar, however busy, fills neither the list nor the disk. */
Test(node_evidence, of_one_validator_is_bounded)
{
	struct network net;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	for (uint64_t view = 1; view <= 90; view++) {
		struct buf e = evidence_of(&net, 2, MESSAGE_VIEW_CHANGE, 1, view);

		say(&net, 4, buf_bytes(&e));
		buf_clear(&e);
	}
	cr_assert_eq(kept(&net, 0), NODE_EVIDENCE_OF_ONE_MAX);
	cr_assert_eq(net.sites[0].node->metrics.evidence_total, NODE_EVIDENCE_OF_ONE_MAX);
	network_end(&net);
}

/* Told while one was away: it hears of it when it comes back. */
Test(node_evidence, is_told_to_newcomers)
{
	struct network net;
	struct buf e;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	net.is_cut[2] = true;
	e = evidence_of(&net, 1, MESSAGE_COMMIT, 1, 0);
	say(&net, 4, buf_bytes(&e));
	buf_clear(&e);
	cr_assert_eq(kept(&net, 0), 1);
	cr_assert_eq(kept(&net, 2), 0);
	run_for(&net, 30000); /* until its sessions have timed out */
	net.is_cut[2] = false;
	run_for(&net, 30000);
	cr_assert_eq(kept(&net, 2), 1);
	network_end(&net);
}

Test(node_evidence, is_kept_over_restarts)
{
	char top[SCRATCH_PATH_MAX];
	struct network net;
	struct site *s = &net.sites[0];
	struct hash id;
	struct buf e;

	scratch_new(top);
	network_make(&net, 1, 1);
	run_for(&net, 100);
	site_close(s);
	scratch_path(s->dir, top, "data");
	site_open(s, true);
	run_for(&net, 2000);
	for (uint64_t i = 0; i < 3; i++)
		send(&net, 0, i);
	run_for(&net, 3000);
	e = evidence_of(&net, 0, MESSAGE_COMMIT, 1, 0);
	say(&net, 1, buf_bytes(&e));
	buf_clear(&e);
	cr_assert_eq(kept(&net, 0), 1);
	id = s->node->evidence.items[0]->id;
	site_close(s);
	site_close(&net.sites[1]); /* which would tell it again */
	site_open(s, true);
	cr_assert_eq(kept(&net, 0), 1);
	cr_assert(hash_equal(&s->node->evidence.items[0]->id, &id));
	cr_assert(addr_equal(&s->node->evidence.items[0]->address, &s->address));
	cr_assert_eq(s->node->evidence.broken_count, 0);
	network_end(&net);
	scratch_remove(top);
}

/* The list at its bound, and beyond the age: the oldest go, from the disk too. */
Test(node_evidence, oldest_go_first)
{
	struct network net;
	struct node *n;
	struct buf e;

	network_make(&net, 1, 1);
	run_for(&net, 1000);
	n = net.sites[0].node;
	for (uint64_t height = 1; height <= 3; height++) {
		n->tip.header.height = height;
		e = evidence_of(&net, 0, MESSAGE_COMMIT, height, 0);
		say(&net, 1, buf_bytes(&e));
		buf_clear(&e);
	}
	cr_assert_eq(kept(&net, 0), 3);
	n->tip.header.height = NODE_EVIDENCE_HEIGHTS + 3;
	node_evidence_age(n);
	cr_assert_eq(kept(&net, 0), 1);
	cr_assert_eq(n->evidence.items[0]->at.height, 3);
	run_for(&net, 10);
	cr_assert_eq(n->evidence.gone_count, 0);
	e = evidence_of(&net, 0, MESSAGE_COMMIT, 2, 0);
	node_evidence_received(n, buf_bytes(&e), &net.sites[1].address);
	buf_clear(&e);
	cr_assert_eq(kept(&net, 0), 1, "too old to come in");
	n->tip.header.height = 0;
	network_end(&net);
}
