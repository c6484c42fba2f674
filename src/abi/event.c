#include "abi/internal.h"

#include "base/check.h"
#include "crypto/keccak.h"

#define WORD 32

const struct abi_type *abi_event_type(const struct abi_type *parameter)
{
	static const struct abi_type hash = { .kind = ABI_FIXED_BYTES, .size = 32, .name = "", .head_size = WORD };

	return parameter->is_indexed && !abi_is_word(parameter->kind) ? &hash : parameter;
}

/* The parameters that are not indexed, as a tuple. */
static void data_members(struct abi_type *out, struct abi_pool *pool, const struct abi_type *inputs)
{
	struct abi_type *members = abi_pool_take(pool, inputs->count + 1, sizeof(*members));
	size_t count = 0;

	for (size_t i = 0; i < inputs->count; i++)
		if (!inputs->parts[i].is_indexed)
			members[count++] = inputs->parts[i];
	/* A part of a tuple that is within bounds is. */
	CHECK(abi_make_tuple(out, members, count, NULL) == OK);
}

static int check_topics(const struct abi_item *item, const struct hash topics[], size_t count, struct err *err)
{
	size_t indexed = 0, own = !item->is_anonymous;
	struct hash h;

	for (size_t i = 0; i < item->inputs.count; i++)
		indexed += item->inputs.parts[i].is_indexed;
	abi_hash(&h, item);
	if (own && (count == 0 || !hash_equal(&h, &topics[0])))
		return ERR_SET(err, ABI_E_DATA, "it is another event");
	if (count != indexed + own)
		return ERR_SET(err, ABI_E_DATA, "the log has %zu indexed parameters, and the signature %zu: say which "
			       "are, as in \"address indexed from\"", count - own, indexed);
	return OK;
}

int abi_decode_event(struct abi_value *out, struct abi_pool *pool, const struct abi_item *item,
		     const struct hash topics[], size_t topic_count, struct bytes data, struct err *err)
{
	const struct abi_type *inputs = &item->inputs;
	size_t topic = !item->is_anonymous, member = 0;
	struct abi_value *items, values;
	struct abi_type tuple;
	const char *wrong;
	int code = check_topics(item, topics, topic_count, err);

	if (code != OK)
		return code;
	data_members(&tuple, pool, inputs);
	code = abi_decode(&values, pool, &tuple, data, err);
	if (code != OK)
		return code;
	items = abi_pool_take(pool, inputs->count + 1, sizeof(*items));
	for (size_t i = 0; i < inputs->count; i++) {
		if (!inputs->parts[i].is_indexed) {
			items[i] = values.list.items[member++];
			continue;
		}
		memcpy(items[i].word, topics[topic++].bytes, WORD);
		wrong = abi_check_word(abi_event_type(&inputs->parts[i]), items[i].word);
		if (wrong)
			return ERR_SET(err, ABI_E_DATA, "topic %zu: %s", topic, wrong);
	}
	out->list.items = items;
	out->list.count = inputs->count;
	return OK;
}

/* Elements one after the other, without lengths, each padded. As deep as types are. */
static void put_in_place(struct buf *out, const struct abi_type *type, const struct abi_value *v)
{
	if (abi_is_word(type->kind)) {
		buf_append(out, v->word, WORD);
	} else if (!abi_is_list(type->kind)) {
		buf_append_bytes(out, v->bytes);
		while (out->size % WORD)
			buf_append_byte(out, 0);
	} else {
		for (size_t i = 0; i < v->list.count; i++)
			put_in_place(out, abi_part(type, i), &v->list.items[i]);
	}
}

void abi_topic(struct hash *out, const struct abi_type *type, const struct abi_value *v)
{
	struct buf elements = { 0 };

	if (abi_is_word(type->kind)) {
		memcpy(out->bytes, v->word, WORD);
	} else if (!abi_is_list(type->kind)) {
		keccak256(out, v->bytes);
	} else {
		put_in_place(&elements, type, v);
		keccak256(out, buf_bytes(&elements));
		buf_clear(&elements);
	}
}
