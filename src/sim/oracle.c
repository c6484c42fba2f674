/* What must never happen; see oracle.h. Its RLP, quorums and accounts are its own. */
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "crypto/keccak.h"
#include "sim/internal.h"

#define DOUBLED_ENOUGH 40 /* second votes, of which a node must have noticed one */
#define LOOK_BACK 4 /* old blocks read again at a head, now and then */

typedef unsigned __int128 amount;

/* --- RLP, once more --- */

struct item {
	bool is_list;
	struct bytes body, raw;
};

static bool next_item(struct bytes *rest, struct item *out)
{
	const uint8_t *at = rest->data;
	size_t size = rest->size, header = 1, length = 0;

	if (size == 0)
		return false;
	out->is_list = at[0] >= 0xc0;
	if (at[0] < 0x80) {
		header = 0;
		length = 1;
	} else {
		unsigned base = out->is_list ? 0xc0 : 0x80, short_length = at[0] - base;

		if (short_length < 56) {
			length = short_length;
		} else {
			header += short_length - 55;
			if (header > size || header > 9)
				return false;
			for (size_t i = 1; i < header; i++)
				length = length << 8 | at[i];
		}
	}
	if (length > size - header)
		return false;
	out->raw = bytes_of(at, header + length);
	out->body = bytes_of(at + header, length);
	*rest = bytes_of(at + header + length, size - header - length);
	return true;
}

static bool next_number(struct bytes *rest, uint64_t *out)
{
	struct item i;

	if (!next_item(rest, &i) || i.is_list || i.body.size > 8)
		return false;
	*out = 0;
	for (size_t at = 0; at < i.body.size; at++)
		*out = *out << 8 | i.body.data[at];
	return true;
}

static bool next_fixed(struct bytes *rest, void *out, size_t size)
{
	struct item i;

	if (!next_item(rest, &i) || i.is_list || i.body.size != size)
		return false;
	memcpy(out, i.body.data, size);
	return true;
}

/* Strings below 56 bytes, and lists whose body is written already. */
static void put_string(struct buf *out, const void *data, size_t size)
{
	const uint8_t *at = data;

	if (size != 1 || at[0] >= 0x80)
		buf_append_byte(out, (uint8_t)(0x80 + size));
	buf_append(out, data, size);
}

static void put_number(struct buf *out, uint64_t v)
{
	uint8_t be[8];
	size_t skip = 0;

	store_be64(be, v);
	while (skip < 8 && be[skip] == 0)
		skip++;
	put_string(out, be + skip, 8 - skip);
}

static void put_list(struct buf *out, const struct buf *body)
{
	uint8_t be[8];
	size_t skip = 0;

	if (body->size < 56) {
		buf_append_byte(out, (uint8_t)(0xc0 + body->size));
	} else {
		store_be64(be, body->size);
		while (be[skip] == 0)
			skip++;
		buf_append_byte(out, (uint8_t)(0xf7 + 8 - skip));
		buf_append(out, be + skip, 8 - skip);
	}
	buf_append(out, body->data, body->size);
}

/* --- state --- */

struct member {
	struct addr address;
	size_t site;
	uint64_t weight;
};

/* Who decides, from a height on. */
struct set {
	uint64_t first;
	size_t count;
	struct member members[SITE_MAX];
	uint64_t quorum;
	struct hash hash;
};

struct purse {
	struct addr address;
	amount balance;
	uint64_t nonce;
};

struct agreed {
	struct hash hash, state_root;
	size_t tx_first, tx_count; /* in `final` */
};

struct sent {
	struct hash hash;
	struct addr from, to;
	uint64_t nonce, value, max_fee, tip;
	bool is_vote, has_succeeded;
	size_t voter, subject;
	uint64_t weight;
	uint64_t gas, height; /* final there; 0: not yet */
};

struct spot {
	uint64_t height, view, identity, kind;
};

struct shown {
	uint64_t height;
};

struct oracle {
	struct set *sets;
	size_t set_count;
	struct set next;      /* as far as is voted */
	uint64_t votes[SITE_MAX][SITE_MAX]; /* of a subject, by voter; plus 1, 0: none */
	uint64_t epoch_ms, parent_ms;       /* when the epoch began; the newest block's time */
	struct agreed *chain; /* by height; 0 is genesis */
	size_t chain_count, chain_capacity;
	struct purse *accounts;
	size_t account_count, account_capacity;
	struct sent *sent;
	size_t sent_count, sent_capacity;
	struct map by_hash;   /* transaction → index in sent */
	struct map said;      /* spot → hash */
	size_t *final;        /* indexes in sent, in the chain's order */
	size_t final_count, final_capacity;
	amount rewards, burned, funded;
	struct shown shown[SITE_MAX];
	uint64_t view_height, view;
	struct rng rng;
	struct buf body, list;
	uint64_t check_count;
};

/* --- sets --- */

static int by_address(const void *a, const void *b)
{
	return memcmp(((const struct member *)a)->address.bytes, ((const struct member *)b)->address.bytes, 20);
}

static void seal_set(struct set *s)
{
	struct buf members = { 0 }, one = { 0 };
	uint64_t total = 0;

	qsort(s->members, s->count, sizeof(s->members[0]), by_address);
	for (size_t i = 0; i < s->count; i++) {
		total += s->members[i].weight;
		buf_reset(&one);
		put_string(&one, s->members[i].address.bytes, 20);
		put_number(&one, s->members[i].weight);
		put_list(&members, &one);
	}
	s->quorum = total - (total - 1) / 3;
	buf_reset(&one);
	put_list(&one, &members);
	keccak256(&s->hash, buf_bytes(&one));
	buf_clear(&members);
	buf_clear(&one);
}

static const struct set *set_of(const struct oracle *o, uint64_t height)
{
	size_t i = o->set_count - 1;

	while (i > 0 && o->sets[i].first > height)
		i--;
	return &o->sets[i];
}

struct hash oracle_set_hash(const struct oracle *o, uint64_t height)
{
	return set_of(o, height)->hash;
}

static struct member *member_at(struct set *s, size_t site)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->members[i].site == site)
			return &s->members[i];
	return NULL;
}

bool oracle_is_member(const struct oracle *o, size_t site)
{
	return member_at((struct set *)(uintptr_t)&o->sets[o->set_count - 1], site) != NULL;
}

/* False if there can be no such set. */
static bool weigh(struct set *s, const struct sim *sim, size_t site, uint64_t weight)
{
	struct member *m = member_at(s, site);

	if (weight == 0 && m && s->count == 1)
		return false;
	if (weight == 0 && m)
		*m = s->members[--s->count];
	else if (m)
		m->weight = weight;
	else if (weight > 0 && s->count == SITE_MAX)
		return false;
	else if (weight > 0)
		s->members[s->count++] = (struct member){ sim->sites[site].address, site, weight };
	seal_set(s);
	return true;
}

static bool has_few_faulty(const struct set *s, const struct sim *sim)
{
	uint64_t total = 0, faulty = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct site *site = &sim->sites[s->members[i].site];

		total += s->members[i].weight;
		if (site->is_liar || site->is_fragile || site->has_lost)
			faulty += s->members[i].weight;
	}
	return faulty <= (total - 1) / 3;
}

bool oracle_may_weigh(const struct oracle *o, const struct sim *sim, size_t site, uint64_t weight)
{
	struct set next = o->next;

	return (weight > 0 || member_at(&next, site)) && weigh(&next, sim, site, weight) && next.count >= 4 &&
	       has_few_faulty(&next, sim);
}

/* Q of the present members with one vote make it the next set's. */
static bool count_vote(struct oracle *o, const struct sim *sim, const struct set *present, const struct sent *t)
{
	uint64_t before = o->votes[t->subject][t->voter], sum = 0;

	if (!member_at((struct set *)(uintptr_t)present, t->voter))
		return false;
	o->votes[t->subject][t->voter] = t->weight + 1;
	for (size_t i = 0; i < present->count; i++)
		if (o->votes[t->subject][present->members[i].site] == t->weight + 1)
			sum += present->members[i].weight;
	if (sum < present->quorum || weigh(&o->next, sim, t->subject, t->weight))
		return true;
	o->votes[t->subject][t->voter] = before;
	return false;
}

/* --- accounts --- */

static struct purse *purse_of(struct oracle *o, const struct addr *address)
{
	for (size_t i = 0; i < o->account_count; i++)
		if (addr_equal(&o->accounts[i].address, address))
			return &o->accounts[i];
	if (o->account_count == o->account_capacity) {
		o->account_capacity = MAX(2 * o->account_capacity, (size_t)32);
		o->accounts = xrealloc(o->accounts, o->account_capacity * sizeof(o->accounts[0]));
	}
	o->accounts[o->account_count] = (struct purse){ .address = *address };
	return &o->accounts[o->account_count++];
}

static amount amount_of(const struct wei *w)
{
	return (amount)w->n.limbs[1] << 64 | w->n.limbs[0];
}

/* --- life --- */

struct oracle *oracle_new(const struct sim *sim)
{
	struct oracle *o = xcalloc(1, sizeof(*o));
	struct set *first = o->sets = xcalloc(1, sizeof(*o->sets));

	o->set_count = 1;
	map_init(&o->by_hash, sizeof(struct hash), sizeof(size_t), 1);
	map_init(&o->said, sizeof(struct spot), sizeof(struct hash), 1);
	rng_init(&o->rng, sim->options.seed ^ 0x07ac1e);
	for (size_t i = 0; i < sim->validator_count; i++)
		first->members[first->count++] = (struct member){ sim->sites[i].address, i, sim->weights[i] };
	seal_set(first);
	o->next = *first;
	o->epoch_ms = o->parent_ms = sim->genesis.time_ms;
	for (size_t i = 0; i < sim->genesis.account_count; i++) {
		struct purse *a = purse_of(o, &sim->genesis.accounts[i].address);

		a->balance = amount_of(&sim->genesis.accounts[i].balance);
		a->nonce = sim->genesis.accounts[i].nonce;
		o->funded += a->balance;
	}
	o->chain_capacity = 128;
	o->chain = xcalloc(o->chain_capacity, sizeof(o->chain[0]));
	o->chain[0].hash = sim->genesis_hash;
	o->chain_count = 1;
	return o;
}

void oracle_free(struct oracle *o)
{
	map_clear(&o->by_hash);
	map_clear(&o->said);
	buf_clear(&o->body);
	buf_clear(&o->list);
	free(o->sets);
	free(o->chain);
	free(o->accounts);
	free(o->sent);
	free(o->final);
	free(o);
}

void oracle_sent(struct oracle *o, const struct sim *sim, const struct tx *t, size_t index)
{
	struct sent *s;
	bool added;

	CHECK(index == o->sent_count);
	if (o->sent_count == o->sent_capacity) {
		o->sent_capacity = MAX(2 * o->sent_capacity, (size_t)128);
		o->sent = xrealloc(o->sent, o->sent_capacity * sizeof(o->sent[0]));
	}
	s = &o->sent[o->sent_count];
	*s = (struct sent){
		.hash = t->hash, .from = t->sender, .to = t->to, .nonce = t->nonce,
		.value = t->value.n.limbs[0], .max_fee = t->max_fee.n.limbs[0],
		.tip = t->max_priority_fee.n.limbs[0], .is_vote = t->data.size > 0,
	};
	for (size_t i = 0; s->is_vote && i < sim->validator_count + sim->observer_count; i++) {
		if (addr_equal(&sim->sites[i].address, &t->sender))
			s->voter = i;
		if (memcmp(sim->sites[i].address.bytes, t->data.data + 16, 20) == 0)
			s->subject = i;
	}
	if (s->is_vote)
		s->weight = load_be64(t->data.data + 60);
	*(size_t *)map_put(&o->by_hash, &t->hash, &added) = o->sent_count++;
	CHECK(added);
}

void oracle_forget(struct oracle *o, size_t site)
{
	o->shown[site].height = 0;
}

uint64_t oracle_height(const struct oracle *o)
{
	return o->chain_count - 1;
}

uint64_t oracle_view(const struct oracle *o)
{
	return o->view_height == o->chain_count ? o->view : 0;
}

/* --- what leaves a node --- */

void oracle_message(struct oracle *o, struct sim *sim, const struct site *s, struct bytes message)
{
	struct item list, about;
	struct spot spot = { .identity = s->identity };
	uint64_t validator;
	struct hash value, *known;
	bool added;

	if (!next_item(&message, &list) || !list.is_list || message.size > 0) {
		sim_found(sim, SIM_SAFETY, "node %zu sends a consensus message that is no list", s->index);
		return;
	}
	message = list.body;
	if (!next_number(&message, &spot.kind) || !next_number(&message, &spot.height) ||
	    !next_number(&message, &spot.view) || !next_number(&message, &validator) ||
	    !next_item(&message, &about) || !next_item(&message, &about)) {
		sim_found(sim, SIM_SAFETY, "node %zu sends a consensus message that is malformed", s->index);
		return;
	}
	/* A view-change's claim is a list, the others' subject a hash. */
	value = (struct hash){ { 0 } };
	if (about.is_list)
		keccak256(&value, about.body);
	else
		memcpy(value.bytes, about.body.data, MIN(about.body.size, sizeof(value)));
	known = map_put(&o->said, &spot, &added);
	if (!added && !hash_equal(known, &value))
		sim_found(sim, SIM_SAFETY,
			  "node %zu signed two values: kind %llu at height %llu, view %llu", s->index,
			  (unsigned long long)spot.kind, (unsigned long long)spot.height,
			  (unsigned long long)spot.view);
	*known = value;
	sim->result->digest = (sim->result->digest ^ load_be64(value.bytes)) * 0x9e3779b97f4a7c15ull + sim->now_us;
	o->check_count++;
	if (spot.height > o->view_height || (spot.height == o->view_height && spot.view > o->view)) {
		o->view_height = spot.height;
		o->view = spot.view;
	}
}

/* Only final blocks are signed as final. */
void oracle_checkpoint(struct oracle *o, struct sim *sim, const struct site *s, struct bytes checkpoint)
{
	struct item list;
	struct hash hash;
	uint64_t height;

	if (!next_item(&checkpoint, &list) || !next_number(&list.body, &height) ||
	    !next_fixed(&list.body, &hash, sizeof(hash))) {
		sim_found(sim, SIM_SAFETY, "node %zu sends a checkpoint that is malformed", s->index);
		return;
	}
	o->check_count++;
	if (height < o->chain_count && !hash_equal(&hash, &o->chain[height].hash))
		sim_found(sim, SIM_SAFETY, "node %zu signs another block of height %llu as final", s->index,
			  (unsigned long long)height);
}

/* --- certificates --- */

static void commit_digest(struct oracle *o, const struct set *set, uint64_t height, uint64_t view,
			  const struct hash *block, struct hash *out)
{
	buf_reset(&o->body);
	put_string(&o->body, "weft/commit", 11);
	put_number(&o->body, CHAIN_ID);
	put_string(&o->body, set->hash.bytes, 32);
	put_number(&o->body, height);
	put_number(&o->body, view);
	put_string(&o->body, block->bytes, 32);
	buf_reset(&o->list);
	put_list(&o->list, &o->body);
	keccak256(out, buf_bytes(&o->list));
}

static bool is_signed(const struct sim *sim, const struct hash *digest, struct bytes seal, const struct addr *by)
{
	struct signature signature;
	struct addr found;

	if (seal.size != 65)
		return false;
	memcpy(signature.r, seal.data, 32);
	memcpy(signature.s, seal.data + 32, 32);
	signature.recovery_id = seal.data[64];
	return ecc_recover_address(sim->ecc, &found, digest, &signature, NULL) == OK && addr_equal(&found, by);
}

/* NULL if a quorum of the height's set has signed, else what is wrong. */
static const char *certificate_fault(struct oracle *o, struct sim *sim, struct bytes rlp, uint64_t height,
				     const struct hash *hash)
{
	const struct set *set = set_of(o, height);
	struct item list, bits, seals, seal;
	struct hash named, digest;
	uint64_t number, view, weight = 0;

	if (!next_item(&rlp, &list) || rlp.size > 0)
		return "is no list";
	rlp = list.body;
	if (!next_number(&rlp, &number) || !next_number(&rlp, &view) || !next_fixed(&rlp, &named, 32) ||
	    !next_item(&rlp, &bits) || !next_item(&rlp, &seals) || !seals.is_list || rlp.size > 0)
		return "is malformed";
	if (number != height || !hash_equal(&named, hash))
		return "is another block's";
	commit_digest(o, set, height, view, hash, &digest);
	for (size_t i = 0; i < bits.body.size * 8; i++) {
		if (!(bits.body.data[i / 8] >> i % 8 & 1))
			continue;
		if (i >= set->count)
			return "names a signer that is no member";
		if (!next_item(&seals.body, &seal) || !is_signed(sim, &digest, seal.body, &set->members[i].address))
			return "has a signature that is not its member's";
		weight += set->members[i].weight;
	}
	if (seals.body.size > 0)
		return "has more signatures than signers";
	return weight >= set->quorum ? NULL : "lacks a quorum";
}

/* --- a block that is new to the oracle --- */

/* A read that failed says so, and the disk did it: nothing was served that is wrong. */
static bool is_excused(const struct site *s, int code)
{
	return code == RPC_E_INTERNAL && site_may_misread(s);
}

struct walk {
	struct oracle *o;
	struct sim *sim;
	const struct site *site;
	const struct rpc_block *block;
	uint64_t height;
};

static void transact(struct walk *w, const struct sent *t, uint64_t gas)
{
	struct oracle *o = w->o;
	uint64_t base = w->block->header.base_fee.n.limbs[0];
	uint64_t price = MIN(t->max_fee, base + t->tip);
	struct purse *from = purse_of(o, &t->from);
	amount fee = (amount)price * gas;

	if (from->nonce != t->nonce || from->balance < fee + t->value || t->max_fee < base ||
	    (!t->is_vote && gas != 21000)) {
		sim_found(w->sim, SIM_SAFETY, "block %llu has a transaction that could not be in it: nonce %llu, "
			  "due %llu, gas %llu", (unsigned long long)w->height, (unsigned long long)t->nonce,
			  (unsigned long long)from->nonce, (unsigned long long)gas);
		return;
	}
	from->nonce++;
	from->balance -= fee + t->value;
	if (t->value > 0)
		purse_of(o, &t->to)->balance += t->value;
	purse_of(o, &w->block->header.coinbase)->balance += (amount)(price - base) * gas;
	o->burned += (amount)base * gas;
}

/* Only noted: the walk may break off. */
static int note_tx(void *arg, const struct rpc_tx *t, struct err *err)
{
	struct walk *w = arg;
	struct oracle *o = w->o;
	size_t *index = map_get(&o->by_hash, &t->tx->hash);

	(void)err;
	if (!index || o->sent[*index].height != 0) {
		sim_found(w->sim, SIM_SAFETY, "block %llu has a transaction that %s", (unsigned long long)w->height,
			  index ? "was final before" : "nobody sent");
		return RPC_E_INTERNAL;
	}
	if (o->final_count == o->final_capacity) {
		o->final_capacity = MAX(2 * o->final_capacity, (size_t)128);
		o->final = xrealloc(o->final, o->final_capacity * sizeof(o->final[0]));
	}
	o->final[o->final_count++] = *index;
	o->sent[*index].gas = t->receipt.gas_used;
	o->sent[*index].has_succeeded = t->receipt.success;
	return OK;
}

static void take_tx(struct walk *w, size_t index)
{
	struct sent *t = &w->o->sent[index];
	bool succeeds = !t->is_vote || count_vote(w->o, w->sim, set_of(w->o, w->height), t);

	t->height = w->height;
	if (succeeds != t->has_succeeded)
		sim_found(w->sim, SIM_SAFETY, "block %llu: a %s that %s by the rules has a receipt that says the opposite",
			  (unsigned long long)w->height, t->is_vote ? "vote" : "transfer",
			  succeeds ? "succeeds" : "fails");
	transact(w, t, t->gas);
	client_final(w->sim, index);
}

static void check_account(struct walk *w, const struct rpc_reader_backend *reader, void *snapshot,
			  const struct purse *a)
{
	struct rpc_account found = { 0 };
	int code = reader->ops->account(snapshot, w->height, &a->address, &found, NULL);

	w->o->check_count++;
	if (is_excused(w->site, code))
		return;
	if (code != OK || found.nonce != a->nonce || amount_of(&found.balance) != a->balance)
		sim_found(w->sim, SIM_SAFETY, "node %zu has another balance or nonce at height %llu than the transfers "
			  "that were sent make", w->site->index, (unsigned long long)w->height);
}

/* All accounts together have what there is; each has what it should. */
static void check_accounts(struct walk *w, const struct rpc_reader_backend *reader, void *snapshot)
{
	struct oracle *o = w->o;
	amount sum = 0;

	for (size_t i = 0; i < o->account_count; i++)
		sum += o->accounts[i].balance;
	if (sum != o->funded + o->rewards - o->burned)
		sim_found(w->sim, SIM_SAFETY, "coins came or went at height %llu", (unsigned long long)w->height);
	for (size_t i = 0; i < o->account_count && !w->sim->is_over; i++)
		check_account(w, reader, snapshot, &o->accounts[i]);
}

static void append(struct oracle *o, const struct rpc_block *block, size_t tx_count)
{
	if (o->chain_count == o->chain_capacity) {
		o->chain_capacity *= 2;
		o->chain = xrealloc(o->chain, o->chain_capacity * sizeof(o->chain[0]));
	}
	o->chain[o->chain_count++] = (struct agreed){
		.hash = block->hash, .state_root = block->header.state_root,
		.tx_first = o->final_count - tx_count, .tx_count = tx_count,
	};
}

static void take_rewards(struct oracle *o, const struct rpc_block *block)
{
	for (size_t i = 0; i < block->withdrawal_count; i++) {
		amount reward = (amount)block->withdrawals[i].amount_gwei * WEI_PER_GWEI;

		purse_of(o, &block->withdrawals[i].address)->balance += reward;
		o->rewards += reward;
	}
}

/* Who decides the next height: known before this block's transactions. */
static void plan_set(struct oracle *o, const struct sim *sim, uint64_t height, struct set *out)
{
	const struct chain_params *params = &sim->genesis.params;
	const struct set *present = set_of(o, height);

	*out = *present;
	if (height - present->first + 1 < params->epoch_length &&
	    (params->epoch_ms == 0 || o->parent_ms < o->epoch_ms || o->parent_ms - o->epoch_ms < params->epoch_ms))
		return;
	*out = o->next;
	out->first = height + 1;
}

static void take_set(struct oracle *o, struct sim *sim, const struct rpc_block *block, uint64_t height,
		     const struct set *after)
{
	const struct set *present = set_of(o, height);

	if (!hash_equal(&block->commitments.validators_hash, &present->hash) ||
	    !hash_equal(&block->commitments.next_validators_hash, &after->hash))
		sim_found(sim, SIM_SAFETY, "block %llu names other validators than were voted",
			  (unsigned long long)height);
	o->parent_ms = block->commitments.time_ms;
	if (after->first != height + 1)
		return;
	o->sets = xrealloc(o->sets, (o->set_count + 1) * sizeof(o->sets[0]));
	o->sets[o->set_count++] = *after;
	o->epoch_ms = o->parent_ms;
	if (!has_few_faulty(after, sim))
		sim->is_over = true; /* more than f by an unlucky count of old votes: says nothing */
}

/* False: its transactions can't be read, and that is excused. */
static bool extend(struct oracle *o, struct sim *sim, struct site *s, const struct rpc_reader_backend *reader,
		   void *snapshot, uint64_t height, const struct rpc_block *block)
{
	struct walk walk = { o, sim, s, block, height };
	size_t first = o->final_count;
	struct set after;
	int code = OK;

	plan_set(o, sim, height, &after);
	if (!hash_equal(&block->header.parent_hash, &o->chain[height - 1].hash)) {
		sim_found(sim, SIM_SAFETY, "block %llu does not stand on block %llu", (unsigned long long)height,
			  (unsigned long long)height - 1);
		return true;
	}
	if (block->tx_count > 0)
		code = reader->ops->each_tx(snapshot, height, note_tx, &walk, NULL);
	if (is_excused(s, code)) {
		o->final_count = first;
		return false;
	}
	if (o->final_count - first != block->tx_count) {
		sim_found(sim, SIM_SAFETY, "node %zu shows %zu of %zu transactions of block %llu", s->index,
			  o->final_count - first, block->tx_count, (unsigned long long)height);
		return true;
	}
	append(o, block, block->tx_count);
	for (size_t i = first; i < o->final_count && !sim->is_over; i++)
		take_tx(&walk, o->final[i]);
	take_rewards(o, block);
	if (!sim->is_over)
		take_set(o, sim, block, height, &after);
	if (!sim->is_over && height == reader->ops->height(snapshot) && draw_is(&o->rng, 250))
		check_accounts(&walk, reader, snapshot);
	sim->result->digest = (sim->result->digest ^ load_be64(block->hash.bytes)) * 0x9e3779b97f4a7c15ull;
	return true;
}

/* --- heads --- */

/* False: it can't be read, and that is excused. */
static bool check_block(struct oracle *o, struct sim *sim, struct site *s, const struct rpc_reader_backend *reader,
			void *snapshot, uint64_t height)
{
	struct rpc_block block = { 0 };
	const struct agreed *known;
	const char *fault;
	struct err err = { 0 };
	int code = reader->ops->block(snapshot, height, &block, &err);

	o->check_count++;
	if (code != OK) {
		if (!is_excused(s, code))
			sim_found(sim, SIM_SAFETY, "node %zu can't read block %llu: %s", s->index,
				  (unsigned long long)height, err.message);
		return false;
	}
	if (height == o->chain_count && !extend(o, sim, s, reader, snapshot, height, &block)) {
		rpc_block_clear(&block);
		return false;
	}
	known = &o->chain[height];
	if (height > 0 && !sim->is_over) {
		fault = certificate_fault(o, sim, buf_bytes(&block.certificate), height, &block.hash);
		if (fault)
			sim_found(sim, SIM_SAFETY, "node %zu: the certificate of block %llu %s", s->index,
				  (unsigned long long)height, fault);
		else if (!hash_equal(&known->hash, &block.hash))
			sim_found(sim, SIM_SAFETY, "two blocks of height %llu are final: node %zu has another one",
				  (unsigned long long)height, s->index);
		else if (!hash_equal(&known->state_root, &block.header.state_root))
			sim_found(sim, SIM_SAFETY, "node %zu has another state at height %llu", s->index,
				  (unsigned long long)height);
	}
	rpc_block_clear(&block);
	return true;
}

/* What waits stays below the caps that the node was given. */
static void check_caps(struct oracle *o, struct sim *sim, const struct site *s)
{
	struct rpc_node_backend node = node_rpc_backend(s->node);
	struct rpc_pool_stats pool;

	node.ops->pool_stats(node.ctx, &pool);
	o->check_count++;
	if (pool.pending_count + pool.future_count > SITE_POOL_COUNT || pool.future_count > SITE_POOL_FUTURE ||
	    pool.size > SITE_POOL_SIZE)
		sim_found(sim, SIM_SAFETY, "node %zu holds %zu transactions of %zu bytes", s->index,
			  pool.pending_count + pool.future_count, pool.size);
}

void oracle_head(struct oracle *o, struct sim *sim, struct site *s)
{
	struct rpc_reader_backend reader = node_reader_backend(&s->reader);
	void *snapshot;
	uint64_t height, shown = o->shown[s->index].height;

	if (s->is_liar || sim->is_over)
		return;
	snapshot = reader.ops->open(reader.ctx);
	height = reader.ops->height(snapshot);
	if (height < shown)
		sim_found(sim, SIM_SAFETY, "node %zu has lost blocks %llu to %llu, which it had shown", s->index,
			  (unsigned long long)height + 1, (unsigned long long)shown);
	for (uint64_t h = shown + 1; h <= height && !sim->is_over; h++) {
		CHECK(h <= o->chain_count);
		if (!check_block(o, sim, s, &reader, snapshot, h))
			break;
		shown = h;
	}
	if (shown > 0 && !sim->is_over && draw_is(&o->rng, 50))
		for (size_t i = 0; i < LOOK_BACK && !sim->is_over; i++)
			check_block(o, sim, s, &reader, snapshot, draw(&o->rng, 0, height));
	o->shown[s->index].height = shown;
	if (s->node && !sim->is_over)
		check_caps(o, sim, s);
	reader.ops->close(snapshot);
}

/* --- at the end --- */

static void check_final(struct oracle *o, struct sim *sim, const struct site *s,
			const struct rpc_reader_backend *reader, void *snapshot)
{
	uint64_t height;
	uint32_t index;

	for (size_t i = 0; i < o->final_count && !sim->is_over; i++) {
		const struct sent *t = &o->sent[o->final[i]];
		int code = reader->ops->find_tx(snapshot, &t->hash, &height, &index, NULL);

		o->check_count++;
		if (is_excused(s, code))
			continue;
		if (code != OK || height != t->height)
			sim_found(sim, SIM_SAFETY, "node %zu has no receipt any more of a transaction that was final "
				  "in block %llu", s->index, (unsigned long long)t->height);
	}
}

static bool may_be_guilty(const struct sim *sim, const struct addr *address)
{
	for (size_t i = 0; i < sim->site_count; i++) {
		const struct site *s = &sim->sites[i];

		if (addr_equal(&s->address, address))
			return s->is_liar || s->is_fragile;
	}
	return false;
}

/* No proof against a correct one; and some, if one was told two things often enough. */
static void check_evidence(struct oracle *o, struct sim *sim, struct site *s)
{
	struct rpc_node_backend node = node_rpc_backend(s->node);
	struct rpc_evidence_list list = { 0 };
	size_t doubled = 0;

	node.ops->evidence(node.ctx, &list);
	for (size_t i = 0; i < list.count && !sim->is_over; i++) {
		o->check_count++;
		if (!may_be_guilty(sim, &list.items[i].validator))
			sim_found(sim, SIM_SAFETY, "node %zu has evidence against a correct validator: %s at height "
				  "%llu, view %llu", s->index, list.items[i].kind,
				  (unsigned long long)list.items[i].height, (unsigned long long)list.items[i].view);
	}
	for (size_t i = 0; i < sim->site_count; i++)
		doubled = MAX(doubled, sim->sites[i].liar.doubled[s->index]);
	if (list.count == 0 && doubled >= DOUBLED_ENOUGH && !s->has_lost && oracle_is_member(o, s->index))
		sim_found(sim, SIM_SAFETY, "node %zu got two votes at one position %zu times, and has no evidence",
			  s->index, doubled);
	for (size_t i = 0; i < list.count; i++) {
		buf_clear(&list.items[i].first);
		buf_clear(&list.items[i].second);
	}
	free(list.items);
}

void oracle_end(struct oracle *o, struct sim *sim)
{
	for (size_t i = 0; i < sim->site_count && !sim->is_over; i++) {
		struct site *s = &sim->sites[i];
		struct rpc_reader_backend reader;
		struct walk walk = { .o = o, .sim = sim, .site = s };
		void *snapshot;

		if (s->state == SITE_DOWN || s->is_liar)
			continue;
		reader = node_reader_backend(&s->reader);
		snapshot = reader.ops->open(reader.ctx);
		walk.height = reader.ops->height(snapshot);
		if (walk.height != o->chain_count - 1)
			sim_found(sim, SIM_LIVENESS, "node %zu stays at height %llu of %zu", s->index,
				  (unsigned long long)walk.height, o->chain_count - 1);
		for (uint64_t h = 1; h <= walk.height && !sim->is_over; h++)
			check_block(o, sim, s, &reader, snapshot, h);
		if (!sim->is_over)
			check_accounts(&walk, &reader, snapshot);
		check_final(o, sim, s, &reader, snapshot);
		check_evidence(o, sim, s);
		reader.ops->close(snapshot);
	}
	sim->result->check_count = o->check_count;
}
