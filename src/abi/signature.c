/*
 * Signatures as people write them. Names of parameters, places of data and what
 * Solidity says of visibility may stand there; only the types are part of the hash.
 */
#include "abi/internal.h"

#include <ctype.h>

#include "base/check.h"
#include "crypto/keccak.h"

struct scanner {
	const char *at;
	struct abi_pool *pool;
	bool may_be_indexed; /* these are an event's parameters */
	struct err *err;
};

static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$';
}

static void skip_blanks(struct scanner *s)
{
	while (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r')
		s->at++;
}

static struct bytes take_name(struct scanner *s)
{
	const char *start;

	skip_blanks(s);
	start = s->at;
	while (is_name_byte(*s->at))
		s->at++;
	return bytes_of(start, (size_t)(s->at - start));
}

static bool is_word(struct bytes name, const char *word)
{
	return bytes_equal(name, bytes_of_str(word));
}

/* What stands where something else should. */
static int expected(struct scanner *s, const char *what)
{
	skip_blanks(s);
	if (!*s->at)
		return ERR_SET(s->err, ABI_E_SIGNATURE, "it ends where %s should stand", what);
	return ERR_SET(s->err, ABI_E_SIGNATURE, "\"%.30s\" stands where %s should", s->at, what);
}

static int take_tuple(struct scanner *s, struct abi_type *out, unsigned depth);

/* Words behind a type: "indexed", where the data is, and the name. */
static int take_parameter_words(struct scanner *s, struct abi_type *type)
{
	static const char *const places[] = { "memory", "calldata", "storage", "payable" };
	struct bytes word;

	while ((word = take_name(s)).size > 0) {
		bool is_place = false;

		for (size_t i = 0; i < ARRAY_COUNT(places); i++)
			is_place |= is_word(word, places[i]);
		if (is_word(word, "indexed")) {
			if (!s->may_be_indexed)
				return ERR_SET(s->err, ABI_E_SIGNATURE, "only an event's parameter is indexed");
			type->is_indexed = true;
		} else if (!is_place) {
			type->name = abi_pool_text(s->pool, word);
			return OK;
		}
	}
	return OK;
}

static int take_parameter(struct scanner *s, struct abi_type *out, unsigned depth)
{
	struct bytes name = take_name(s);
	int code;

	skip_blanks(s);
	if (*s->at == '(' && (name.size == 0 || is_word(name, "tuple")))
		code = take_tuple(s, out, depth + 1);
	else if (name.size == 0)
		code = expected(s, "a type");
	else
		code = abi_take_elementary(out, name, s->err);
	if (code == OK)
		code = abi_take_suffixes(out, s->pool, &s->at, s->err);
	return code == OK ? take_parameter_words(s, out) : code;
}

/* From "(" to ")", into an array that doubles. */
static int take_members(struct scanner *s, struct abi_type **members, size_t *count, unsigned depth)
{
	size_t capacity = 4;
	int code;

	*members = abi_pool_take(s->pool, capacity, sizeof(**members));
	for (*count = 0; skip_blanks(s), *s->at != ')'; (*count)++) {
		if (*count > 0 && *s->at != ',')
			return expected(s, "\",\" or \")\"");
		s->at += *count > 0;
		if (*count == capacity) {
			struct abi_type *old = *members;

			*members = abi_pool_take(s->pool, 2 * capacity, sizeof(*old));
			memcpy(*members, old, capacity * sizeof(*old));
			capacity *= 2;
		}
		code = take_parameter(s, &(*members)[*count], depth);
		if (code != OK)
			return code;
	}
	s->at++;
	return OK;
}

/* As deep as ABI_DEPTH_MAX. */
static int take_tuple(struct scanner *s, struct abi_type *out, unsigned depth)
{
	bool is_event = s->may_be_indexed;
	struct abi_type *members;
	size_t count;
	int code;

	if (depth >= ABI_DEPTH_MAX)
		return ERR_SET(s->err, ABI_E_SIGNATURE, "tuples stand more than %d deep in each other", ABI_DEPTH_MAX);
	s->may_be_indexed = is_event && depth == 0;
	s->at++;
	code = take_members(s, &members, &count, depth);
	s->may_be_indexed = is_event;
	if (code != OK)
		return code;
	if (count == 0 && depth > 0)
		return ERR_SET(s->err, ABI_E_SIGNATURE, "a tuple has at least one member");
	return abi_make_tuple(out, members, count, s->err);
}

/* "external view returns (bool)": only what we keep something of is told apart. */
static int take_tail(struct scanner *s, struct abi_item *item)
{
	static const char *const known[] = {
		"external", "public", "internal", "private", "virtual", "override", "anonymous",
		"payable", "view", "pure", "nonpayable", "constant", "returns",
	};
	struct bytes word;
	int code;

	for (;;) {
		bool is_known = false;

		word = take_name(s);
		for (size_t i = 0; i < ARRAY_COUNT(known); i++)
			is_known |= is_word(word, known[i]);
		item->is_anonymous |= is_word(word, "anonymous");
		item->refuses_value |= is_word(word, "nonpayable") || is_word(word, "view") || is_word(word, "pure");
		skip_blanks(s);
		if (word.size > 0 && !is_known)
			return ERR_SET(s->err, ABI_E_SIGNATURE, "\"%.*s\" says nothing behind the parameters",
				       (int)MIN(word.size, 40), (const char *)word.data);
		if (*s->at == '(' && (word.size == 0 || is_word(word, "returns"))) {
			if (item->has_outputs || item->kind != ABI_ITEM_FUNCTION)
				return expected(s, "the end");
			code = take_tuple(s, &item->outputs, 0);
			if (code != OK)
				return code;
			item->has_outputs = true;
		} else if (is_word(word, "returns")) {
			return expected(s, "what is returned, in parentheses,");
		} else if (word.size == 0) {
			break;
		}
	}
	if (*s->at == ';')
		s->at++;
	skip_blanks(s);
	return *s->at ? expected(s, "the end") : OK;
}

static struct bytes take_kind(struct scanner *s, struct abi_item *item)
{
	static const struct { const char *word; enum abi_item_kind kind; } kinds[] = {
		{ "function", ABI_ITEM_FUNCTION }, { "event", ABI_ITEM_EVENT },
		{ "error", ABI_ITEM_ERROR }, { "constructor", ABI_ITEM_CONSTRUCTOR },
	};
	struct bytes name = take_name(s);

	skip_blanks(s);
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		bool is_constructor = kinds[i].kind == ABI_ITEM_CONSTRUCTOR;

		/* "error(string)" is a function of that name; "function" can't be one. */
		if (!is_word(name, kinds[i].word))
			continue;
		if ((*s->at == '(') != is_constructor && kinds[i].kind != ABI_ITEM_FUNCTION)
			continue;
		item->kind = kinds[i].kind;
		item->has_kind = true;
		return is_constructor ? bytes_of("", 0) : take_name(s);
	}
	return name;
}

int abi_parse_signature(struct abi_item *out, struct abi_pool *pool, const char *text, struct err *err)
{
	struct scanner s = { .at = text, .pool = pool, .err = err };
	struct bytes name;
	int code;

	*out = (struct abi_item){ .kind = ABI_ITEM_FUNCTION };
	if (strlen(text) > ABI_SIGNATURE_SIZE_MAX)
		return ERR_SET(err, ABI_E_SIGNATURE, "the signature is longer than %d bytes", ABI_SIGNATURE_SIZE_MAX);
	name = take_kind(&s, out);
	out->name = abi_pool_text(pool, name);
	skip_blanks(&s);
	if (*s.at != '(')
		code = expected(&s, "\"(\"");
	else if (is_word(name, "function") || is_word(name, "constructor"))
		code = ERR_SET(err, ABI_E_SIGNATURE, "\"%s\" is no name", out->name);
	else if (name.size > 0 && isdigit(name.data[0]))
		code = ERR_SET(err, ABI_E_SIGNATURE, "a name does not begin with a digit");
	else if (name.size == 0 && out->has_kind && out->kind != ABI_ITEM_CONSTRUCTOR)
		code = ERR_SET(err, ABI_E_SIGNATURE, "the name is missing");
	else {
		/* What is no function by a word may be an event all the same. */
		s.may_be_indexed = !out->has_kind || out->kind == ABI_ITEM_EVENT;
		code = take_tuple(&s, &out->inputs, 0);
	}
	s.may_be_indexed = false;
	if (code == OK)
		code = take_tail(&s, out);
	if (code != OK)
		return err_prefix(err, code, "\"%.120s\" is no signature", text);
	return OK;
}

void abi_put_signature(struct buf *out, const struct abi_item *item)
{
	buf_append(out, item->name, strlen(item->name));
	abi_put_type(out, &item->inputs);
}

void abi_hash(struct hash *out, const struct abi_item *item)
{
	struct buf text = { 0 };

	abi_put_signature(&text, item);
	keccak256(out, buf_bytes(&text));
	buf_clear(&text);
}
