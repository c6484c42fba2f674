#include "json/json.h"

#include <jansson.h>

#include "base/check.h"
#include "base/limits.h"

/* `struct jval` is json_t under a name of ours. Jansson's readers take a
 * non-const json_t and leave it as it is. */
static inline json_t *inner(const struct jval *v)
{
	return (json_t *)(uintptr_t)v;
}

static inline const struct jval *outer(const json_t *v)
{
	return (const struct jval *)v;
}

/* Jansson parses and frees by recursion, so the depth is bounded first. Outside
 * strings only brackets count; unbalanced ones are left to the parser. */
static int check_depth(struct bytes text, struct err *err)
{
	size_t depth = 0, line = 1, line_start = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];

		if (c == '\n') {
			line++;
			line_start = i + 1;
		}
		if (c == '"') {
			in_string = !in_string;
		} else if (in_string) {
			if (c == '\\')
				i++;
		} else if (c == '[' || c == '{') {
			if (++depth > LIMIT_JSON_DEPTH_MAX)
				return ERR_SET(err, JSON_E_DEPTH,
					       "line %zu column %zu: nested deeper than %d", line,
					       i - line_start + 1, LIMIT_JSON_DEPTH_MAX);
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return OK;
}

int jval_parse(struct jval **out, struct bytes text, struct err *err)
{
	json_error_t where;
	json_t *root;
	int code = check_depth(text, err);

	if (code != OK)
		return code;
	root = json_loadb(text.size ? (const char *)text.data : "", text.size,
			  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (!root) {
		if (json_error_code(&where) == json_error_out_of_memory)
			fatal("out of memory for a JSON document of %zu bytes", text.size);
		return ERR_SET(err, JSON_E_SYNTAX, "line %d column %d: %s", where.line,
			       where.column, where.text);
	}
	*out = (struct jval *)root;
	return OK;
}

void jval_free(struct jval *root)
{
	json_decref((json_t *)root);
}

enum jval_kind jval_kind(const struct jval *v)
{
	if (!v)
		return JVAL_ABSENT;
	switch (json_typeof(inner(v))) {
	case JSON_OBJECT:
		return JVAL_OBJECT;
	case JSON_ARRAY:
		return JVAL_ARRAY;
	case JSON_STRING:
		return JVAL_STRING;
	case JSON_INTEGER:
		return JVAL_INTEGER;
	case JSON_REAL:
		return JVAL_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JVAL_BOOL;
	case JSON_NULL:
		return JVAL_NULL;
	}
	UNREACHABLE();
}

size_t jval_count(const struct jval *v)
{
	/* Each gives 0 for another kind, and for NULL. */
	return json_array_size(inner(v)) + json_object_size(inner(v));
}

const struct jval *jval_at(const struct jval *v, size_t index)
{
	return outer(json_array_get(inner(v), index));
}

const struct jval *jval_get(const struct jval *v, const char *key)
{
	return outer(json_object_get(inner(v), key));
}

bool jval_next(const struct jval *v, void **cursor, const char **key, const struct jval **value)
{
	json_t *object = inner(v);

	*cursor = *cursor ? json_object_iter_next(object, *cursor) : json_object_iter(object);
	if (!*cursor)
		return false;
	*key = json_object_iter_key(*cursor);
	*value = outer(json_object_iter_value(*cursor));
	return true;
}

struct bytes jval_string(const struct jval *v)
{
	return bytes_of(json_string_value(inner(v)), json_string_length(inner(v)));
}

bool jval_bool(const struct jval *v)
{
	return json_is_true(inner(v));
}

int64_t jval_integer(const struct jval *v)
{
	return json_integer_value(inner(v));
}

double jval_real(const struct jval *v)
{
	return json_number_value(inner(v));
}
