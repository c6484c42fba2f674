/*
 * JSON descriptions of contracts, in the forms in which compilers and frameworks
 * write them:
 *
 *     [ item, … ]                                           a bare ABI
 *     { abi, bytecode: "0x…" }                              Hardhat, Truffle
 *     { abi, bytecode: { object: "0x…" } }                  Foundry
 *     { contracts: { "file:Name": { abi, bin } } }          solc --combined-json abi,bin
 *     { contracts: { file: { Name: { abi, evm: { bytecode: { object } } } } } }
 *                                                           solc --standard-json
 */
#include "abi/internal.h"

#include <ctype.h>
#include <stdio.h>

#include "base/check.h"
#include "codec/hex.h"
#include "crypto/keccak.h"

#define CODE_SIZE_MAX 16777216
#define NAMES_MAX 300

static bool is_text(const struct jval *v, const char *text)
{
	return jval_kind(v) == JVAL_STRING && bytes_equal(jval_string(v), bytes_of_str(text));
}

/* --- items --- */

/* Names are shown as they are: only what Solidity and Vyper call one is taken. */
static int take_name(const char **out, struct abi_pool *pool, const struct jval *v, struct err *err)
{
	struct bytes name = jval_string(v);

	for (size_t i = 0; i < name.size; i++)
		if (!isalnum(name.data[i]) && name.data[i] != '_' && name.data[i] != '$')
			return ERR_SET(err, ABI_E_DOCUMENT, "a name in its ABI is none");
	*out = abi_pool_text(pool, name);
	return OK;
}

static int read_members(struct abi_type *out, struct abi_pool *pool, const struct jval *list, unsigned depth,
			struct err *err);

static int read_parameter(struct abi_type *out, struct abi_pool *pool, const struct jval *v, unsigned depth,
			  struct err *err)
{
	const struct jval *components = jval_get(v, "components");
	struct bytes type = jval_string(jval_get(v, "type"));
	struct abi_type tuple = { 0 };
	int code = OK;

	if (type.size == 0 || type.size > ABI_SIGNATURE_SIZE_MAX)
		return ERR_SET(err, ABI_E_DOCUMENT, "a parameter has no type");
	if (components)
		code = read_members(&tuple, pool, components, depth + 1, err);
	if (code == OK)
		code = abi_parse_type(out, pool, (const char *)type.data, tuple.parts, tuple.count, err);
	if (code != OK)
		return code;
	out->is_indexed = jval_bool(jval_get(v, "indexed"));
	return take_name(&out->name, pool, jval_get(v, "name"), err);
}

/* As deep as ABI_DEPTH_MAX. */
static int read_members(struct abi_type *out, struct abi_pool *pool, const struct jval *list, unsigned depth,
			struct err *err)
{
	size_t count = jval_count(list);
	struct abi_type *members = abi_pool_take(pool, count + 1, sizeof(*members));
	int code;

	if (depth > ABI_DEPTH_MAX)
		return ERR_SET(err, ABI_E_DOCUMENT, "tuples stand more than %d deep in each other", ABI_DEPTH_MAX);
	if (list && jval_kind(list) != JVAL_ARRAY)
		return ERR_SET(err, ABI_E_DOCUMENT, "parameters are no list");
	for (size_t i = 0; i < count; i++) {
		code = read_parameter(&members[i], pool, jval_at(list, i), depth, err);
		if (code != OK)
			return err_prefix(err, code, "parameter %zu", i + 1);
	}
	return abi_make_tuple(out, members, count, err);
}

/* False: one that nobody calls by name, such as fallback. */
static bool take_item_kind(struct abi_item *item, const struct jval *v)
{
	static const struct { const char *word; enum abi_item_kind kind; } kinds[] = {
		{ "function", ABI_ITEM_FUNCTION }, { "event", ABI_ITEM_EVENT },
		{ "error", ABI_ITEM_ERROR }, { "constructor", ABI_ITEM_CONSTRUCTOR },
	};
	const struct jval *type = jval_get(v, "type");

	/* The oldest compilers left it out of functions. */
	if (!type)
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		if (is_text(type, kinds[i].word)) {
			item->kind = kinds[i].kind;
			return true;
		}
	}
	return false;
}

static int read_item(struct abi_item *item, struct abi_pool *pool, const struct jval *v, struct err *err)
{
	const struct jval *mutability = jval_get(v, "stateMutability");
	int code = take_name(&item->name, pool, item->kind == ABI_ITEM_CONSTRUCTOR ? NULL : jval_get(v, "name"), err);

	if (code != OK)
		return code;
	item->has_kind = true;
	item->is_anonymous = jval_bool(jval_get(v, "anonymous"));
	item->refuses_value = mutability && !is_text(mutability, "payable");
	item->has_outputs = jval_kind(jval_get(v, "outputs")) == JVAL_ARRAY;
	code = read_members(&item->inputs, pool, jval_get(v, "inputs"), 0, err);
	if (code == OK)
		code = read_members(&item->outputs, pool, jval_get(v, "outputs"), 0, err);
	return code == OK ? OK : err_prefix(err, code, "%.60s", *item->name ? item->name : "constructor");
}

static int read_items(struct abi *out, const struct jval *list, struct err *err)
{
	size_t count = jval_count(list);
	int code;

	if (jval_kind(list) != JVAL_ARRAY)
		return ERR_SET(err, ABI_E_DOCUMENT, "its ABI is no list");
	out->items = abi_pool_take(&out->pool, count + 1, sizeof(*out->items));
	for (size_t i = 0; i < count; i++) {
		const struct jval *v = jval_at(list, i);
		struct abi_item *item = &out->items[out->count];

		if (jval_kind(v) != JVAL_OBJECT)
			return ERR_SET(err, ABI_E_DOCUMENT, "item %zu of its ABI is no object", i + 1);
		if (!take_item_kind(item, v))
			continue;
		code = read_item(item, &out->pool, v, err);
		if (code != OK)
			return code;
		out->count++;
	}
	out->has_items = true;
	return OK;
}

/* --- code --- */

/* With or without 0x; compilers leave "__$…$__" where a library's address belongs. */
static int read_code(struct abi *out, struct bytes text, struct err *err)
{
	const uint8_t *gap = memchr(text.data, '_', text.size);
	struct bytes digits = text;

	if (digits.size >= 2 && memcmp(digits.data, "0x", 2) == 0)
		digits = bytes_of(text.data + 2, text.size - 2);
	if (gap)
		return ERR_SET(err, ABI_E_DOCUMENT, "its code lacks a library's address (%.*s): link it first",
			       (int)MIN((size_t)(text.data + text.size - gap), 40), (const char *)gap);
	if (digits.size / 2 > CODE_SIZE_MAX)
		return ERR_SET(err, ABI_E_DOCUMENT, "its code is larger than %d bytes", CODE_SIZE_MAX);
	if (digits.size % 2 || !hex_decode(buf_extend(&out->code, digits.size / 2), digits.size / 2, digits)) {
		buf_reset(&out->code);
		return ERR_SET(err, ABI_E_DOCUMENT, "its code is not hexadecimal");
	}
	/* An interface or an abstract contract has "0x". */
	out->has_code = digits.size > 0;
	return OK;
}

/* bytecode, bin or evm.bytecode: text, or an object with it. */
static struct bytes find_code(const struct jval *contract)
{
	const struct jval *v = jval_get(contract, "bytecode");

	if (!v)
		v = jval_get(contract, "bin");
	if (!v)
		v = jval_get(jval_get(contract, "evm"), "bytecode");
	return jval_string(jval_kind(v) == JVAL_OBJECT ? jval_get(v, "object") : v);
}

static int read_contract(struct abi *out, const struct jval *contract, struct err *err)
{
	const struct jval *items = jval_get(contract, "abi");
	struct bytes code_text = find_code(contract);
	struct jval *inner = NULL;
	int code = OK;

	if (!items && !code_text.data)
		return ERR_SET(err, ABI_E_DOCUMENT, "it has neither \"abi\" nor \"bytecode\"");
	/* Older compilers put the ABI into a string. */
	if (jval_kind(items) == JVAL_STRING) {
		code = jval_parse(&inner, jval_string(items), err);
		items = inner;
	}
	if (code == OK && items)
		code = read_items(out, items, err);
	jval_free(inner);
	if (code == OK && code_text.data)
		code = read_code(out, code_text, err);
	return code;
}

/* --- one of several contracts --- */

struct choice {
	const char *wanted;  /* NULL: the only one */
	const struct jval *found;
	size_t count;        /* that fit */
	char names[NAMES_MAX];
};

/* "Name" or "file:Name". */
static void consider(struct choice *c, const char *file, const char *name, const struct jval *contract)
{
	const char *colon = strrchr(name, ':');
	size_t length = strlen(c->names);
	char full[512];

	snprintf(full, sizeof(full), "%s%s%s", file, *file ? ":" : "", name);
	snprintf(c->names + length, sizeof(c->names) - length, "%s%s", length ? ", " : "", full);
	if (c->wanted && strcmp(c->wanted, full) != 0 && strcmp(c->wanted, name) != 0 &&
	    !(colon && strcmp(c->wanted, colon + 1) == 0))
		return;
	c->found = contract;
	c->count++;
}

static int choose(struct choice *c, const struct jval *contracts, struct err *err)
{
	const struct jval *entry, *contract;
	void *outer = NULL, *inner;
	const char *file, *name;

	while (jval_next(contracts, &outer, &file, &entry)) {
		inner = NULL;
		if (jval_get(entry, "abi") || jval_get(entry, "bin"))
			consider(c, "", file, entry);
		else
			while (jval_next(entry, &inner, &name, &contract))
				consider(c, file, name, contract);
	}
	if (c->count == 1)
		return OK;
	if (c->count == 0 && c->wanted)
		return ERR_SET(err, ABI_E_DOCUMENT, "it has no contract \"%.80s\"; it has %s", c->wanted,
			       *c->names ? c->names : "none");
	return ERR_SET(err, ABI_E_DOCUMENT, "it has %s: choose one by its name",
		       *c->names ? c->names : "no contract");
}

int abi_load(struct abi *out, struct bytes json, const char *contract, struct err *err)
{
	struct choice choice = { .wanted = contract };
	struct jval *root;
	int code;

	*out = (struct abi){ 0 };
	code = jval_parse(&root, json, err);
	if (code != OK)
		return err ? err_prefix(err, err->code = ABI_E_DOCUMENT, "not JSON") : ABI_E_DOCUMENT;
	if (jval_kind(root) == JVAL_ARRAY) {
		code = read_items(out, root, err);
	} else if (jval_kind(jval_get(root, "contracts")) == JVAL_OBJECT) {
		code = choose(&choice, jval_get(root, "contracts"), err);
		if (code == OK)
			code = read_contract(out, choice.found, err);
	} else {
		code = read_contract(out, root, err);
	}
	jval_free(root);
	if (code == OK)
		return OK;
	abi_clear(out);
	return code == ABI_E_SIGNATURE && err ? (err->code = ABI_E_DOCUMENT) : code == OK ? OK : ABI_E_DOCUMENT;
}

void abi_clear(struct abi *a)
{
	abi_pool_clear(&a->pool);
	buf_clear(&a->code);
	*a = (struct abi){ 0 };
}

/* --- looking up --- */

const struct abi_item *abi_constructor(const struct abi *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].kind == ABI_ITEM_CONSTRUCTOR)
			return &a->items[i];
	return NULL;
}

const struct abi_item *abi_find_selector(const struct abi *a, enum abi_item_kind kind,
					 const uint8_t selector[ABI_SELECTOR_SIZE])
{
	struct hash h;

	for (size_t i = 0; i < a->count; i++) {
		if (a->items[i].kind != kind)
			continue;
		abi_hash(&h, &a->items[i]);
		if (memcmp(h.bytes, selector, ABI_SELECTOR_SIZE) == 0)
			return &a->items[i];
	}
	return NULL;
}

const struct abi_item *abi_find_topic(const struct abi *a, const struct hash *topic)
{
	struct hash h;

	for (size_t i = 0; i < a->count; i++) {
		if (a->items[i].kind != ABI_ITEM_EVENT || a->items[i].is_anonymous)
			continue;
		abi_hash(&h, &a->items[i]);
		if (hash_equal(&h, topic))
			return &a->items[i];
	}
	return NULL;
}

/* Those of a kind, or of a kind and name, as a list for a message. */
static void list_items(struct buf *out, const struct abi *a, enum abi_item_kind kind, const char *name)
{
	for (size_t i = 0; i < a->count; i++) {
		if (a->items[i].kind != kind || (name && strcmp(a->items[i].name, name) != 0))
			continue;
		if (out->size)
			buf_printf(out, ", ");
		abi_put_signature(out, &a->items[i]);
	}
	if (out->size == 0)
		buf_printf(out, "none");
}

static const char *kind_word(enum abi_item_kind kind)
{
	switch (kind) {
	case ABI_ITEM_FUNCTION:
		return "function";
	case ABI_ITEM_CONSTRUCTOR:
		return "constructor";
	case ABI_ITEM_EVENT:
		return "event";
	case ABI_ITEM_ERROR:
		return "error";
	}
	UNREACHABLE();
}

static int not_found(const struct abi *a, enum abi_item_kind kind, const char *text, size_t named, struct err *err)
{
	struct buf list = { 0 };

	list_items(&list, a, kind, named ? text : NULL);
	if (named)
		ERR_SET(err, ABI_E_UNKNOWN, "several fit %.80s: give one as it stands here: %.*s", text,
			(int)MIN(list.size, 300), (const char *)list.data);
	else
		ERR_SET(err, ABI_E_UNKNOWN, "there is no %s \"%.80s\"; there are: %.*s", kind_word(kind), text,
			(int)MIN(list.size, 300), (const char *)list.data);
	buf_clear(&list);
	return ABI_E_UNKNOWN;
}

static bool same_signature(const struct abi_item *a, const struct abi_item *b)
{
	struct hash one, two;

	abi_hash(&one, a);
	abi_hash(&two, b);
	return hash_equal(&one, &two);
}

int abi_find(const struct abi_item **out, const struct abi *a, enum abi_item_kind kind, const char *text,
	     size_t argument_count, struct err *err)
{
	struct abi_item wanted = { 0 };
	struct abi_pool pool = { 0 };
	bool is_signature = strchr(text, '(') != NULL;
	size_t named = 0, fitting = 0;
	int code = is_signature ? abi_parse_signature(&wanted, &pool, text, err) : OK;

	for (size_t i = 0; code == OK && i < a->count; i++) {
		const struct abi_item *item = &a->items[i];
		bool fits = argument_count == SIZE_MAX || item->inputs.count == argument_count;

		if (item->kind != kind)
			continue;
		if (is_signature && same_signature(item, &wanted)) {
			*out = item;
			named = fitting = 1;
			break;
		}
		if (is_signature || strcmp(item->name, text) != 0)
			continue;
		/* The only one of its name is meant, whatever the number. */
		if (fits || named == 0)
			*out = item;
		named++;
		fitting += fits;
	}
	if (code == OK && fitting != 1 && named != 1)
		code = not_found(a, kind, text, named, err);
	abi_pool_clear(&pool);
	return code;
}
