#include <criterion/criterion.h>
#include <math.h>

#include "base/limits.h"
#include "json/json.h"

static struct jval *parse(const char *text)
{
	struct err err = { 0 };
	struct jval *root = NULL;

	cr_assert_eq(jval_parse(&root, bytes_of_str(text), &err), OK, "%s: %s", text, err.message);
	cr_assert_eq(err.code, OK);
	return root;
}

Test(jval, parse_gives_every_kind)
{
	struct jval *root = parse("{\"n\":null,\"t\":true,\"f\":false,\"i\":-12,\"r\":2.5,"
				  "\"s\":\"x\",\"a\":[1,2,3],\"o\":{\"k\":1}}");

	cr_assert_eq(jval_kind(root), JVAL_OBJECT);
	cr_assert_eq(jval_count(root), 8);
	cr_assert_eq(jval_kind(jval_get(root, "n")), JVAL_NULL);
	cr_assert_eq(jval_kind(jval_get(root, "t")), JVAL_BOOL);
	cr_assert(jval_bool(jval_get(root, "t")));
	cr_assert_eq(jval_kind(jval_get(root, "f")), JVAL_BOOL);
	cr_assert_not(jval_bool(jval_get(root, "f")));
	cr_assert_eq(jval_kind(jval_get(root, "i")), JVAL_INTEGER);
	cr_assert_eq(jval_integer(jval_get(root, "i")), -12);
	cr_assert_eq(jval_kind(jval_get(root, "r")), JVAL_REAL);
	cr_assert_eq(jval_real(jval_get(root, "r")), 2.5);
	cr_assert_eq(jval_real(jval_get(root, "i")), -12.0);
	cr_assert_eq(jval_kind(jval_get(root, "s")), JVAL_STRING);
	cr_assert(bytes_equal(jval_string(jval_get(root, "s")), bytes_of_str("x")));
	cr_assert_eq(jval_kind(jval_get(root, "a")), JVAL_ARRAY);
	cr_assert_eq(jval_count(jval_get(root, "a")), 3);
	cr_assert_eq(jval_integer(jval_at(jval_get(root, "a"), 2)), 3);
	cr_assert_eq(jval_integer(jval_get(jval_get(root, "o"), "k")), 1);
	cr_assert_eq(jval_kind(jval_get(root, "absent")), JVAL_ABSENT);
	jval_free(root);
}

Test(jval, any_value_may_be_the_root)
{
	static const struct {
		const char *text;
		enum jval_kind kind;
	} rows[] = {
		{ "1", JVAL_INTEGER }, { "-0.5", JVAL_REAL }, { "\"\"", JVAL_STRING },
		{ "null", JVAL_NULL }, { "true", JVAL_BOOL }, { "[]", JVAL_ARRAY },
		{ " {} \n", JVAL_OBJECT },
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct jval *root = parse(rows[i].text);

		cr_assert_eq(jval_kind(root), rows[i].kind, "%s", rows[i].text);
		jval_free(root);
	}
}

Test(jval, readers_of_another_kind_give_nothing)
{
	struct jval *root = parse("[1,\"s\",{},[],null,true,1.5]");

	for (size_t i = 0; i <= jval_count(root); i++) {
		const struct jval *v = i < jval_count(root) ? jval_at(root, i) : NULL;
		enum jval_kind kind = jval_kind(v);
		const struct jval *value;
		void *cursor = NULL;
		const char *key;

		cr_assert_eq(jval_count(v), 0);
		cr_assert_null(jval_at(v, 0));
		cr_assert_null(jval_get(v, "k"));
		cr_assert_not(jval_next(v, &cursor, &key, &value));
		cr_assert_eq(jval_bool(v), kind == JVAL_BOOL);
		cr_assert_eq(jval_integer(v), kind == JVAL_INTEGER);
		cr_assert_eq(jval_string(v).data != NULL, kind == JVAL_STRING);
		cr_assert_eq(jval_string(v).size, kind == JVAL_STRING);
		if (kind != JVAL_REAL && kind != JVAL_INTEGER)
			cr_assert_eq(jval_real(v), 0.0);
	}
	cr_assert_null(jval_at(root, 7));
	cr_assert_null(jval_at(root, SIZE_MAX));
	cr_assert_null(jval_get(root, "k"));
	jval_free(root);
	jval_free(NULL);
}

Test(jval, next_walks_in_the_order_of_the_text)
{
	static const char *const keys[] = { "z", "a", "m", "", "b" };
	struct jval *root = parse("{\"z\":0,\"a\":1,\"m\":2,\"\":3,\"b\":4}");
	const struct jval *value;
	void *cursor = NULL;
	const char *key;
	size_t count = 0;

	while (jval_next(root, &cursor, &key, &value)) {
		cr_assert_lt(count, ARRAY_COUNT(keys));
		cr_assert_str_eq(key, keys[count]);
		cr_assert_eq(jval_integer(value), (int64_t)count);
		count++;
	}
	cr_assert_eq(count, ARRAY_COUNT(keys));
	jval_free(root);
}

Test(jval, strings_are_unescaped)
{
	struct jval *root = parse("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u00e9\\ud83d\\ude42\",\"\xc3\xa9\"]");

	cr_assert(bytes_equal(jval_string(jval_at(root, 0)), bytes_of_str("\"\\/\b\f\n\r\t")));
	cr_assert(bytes_equal(jval_string(jval_at(root, 1)), bytes_of_str("\xc3\xa9\xf0\x9f\x99\x82")));
	cr_assert(bytes_equal(jval_string(jval_at(root, 2)), bytes_of_str("\xc3\xa9")));
	cr_assert_eq(jval_string(jval_at(root, 2)).data[2], 0, "NUL behind it");
	jval_free(root);
}

Test(jval, integers_reach_their_edges)
{
	struct jval *root = parse("[9223372036854775807,-9223372036854775808,0,-0]");

	cr_assert_eq(jval_integer(jval_at(root, 0)), INT64_MAX);
	cr_assert_eq(jval_integer(jval_at(root, 1)), INT64_MIN);
	cr_assert_eq(jval_integer(jval_at(root, 2)), 0);
	cr_assert_eq(jval_integer(jval_at(root, 3)), 0);
	jval_free(root);
}

Test(jval, parse_refuses_what_is_not_json)
{
	static const char *const bad[] = {
		"", " ", "{", "}", "[", "]", "[1,]", "[,1]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "{1:1}",
		"nul", "True", "NaN", "Infinity", "-", "+1", "01", "1.", ".5", "1e", "0x10", "'a'", "\"",
		"\"\\x\"", "\"\\u12\"", "\"\n\"", "\"\t\"", "\"\\ud800\"", "\"\\udc00\\ud800\"",
		"[1] 2", "{}{}", "1 2", "[1 2]", "/* c */ 1", "1 // c", "\xef\xbb\xbf{}",
		"{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "\"\\u0000\"", "{\"\\u0000\":1}",
		"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xc3\"",
		"9223372036854775808", "-9223372036854775809", "100000000000000000000000000000000",
		"1e999", "[}", "{]", "]][", "[\"]", "\\",
	};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct jval *root = NULL;
		struct err err = { 0 };

		cr_assert_eq(jval_parse(&root, bytes_of_str(bad[i]), &err), JSON_E_SYNTAX, "%s", bad[i]);
		cr_assert_eq(err.code, JSON_E_SYNTAX);
		cr_assert_eq(strncmp(err.message, "line ", 5), 0, "%s: %s", bad[i], err.message);
		cr_assert_null(root);
	}
}

Test(jval, parse_refuses_nul_bytes)
{
	struct jval *root = NULL;

	cr_assert_eq(jval_parse(&root, bytes_of("[1]\0", 4), NULL), JSON_E_SYNTAX);
	cr_assert_eq(jval_parse(&root, bytes_of("\"a\0b\"", 5), NULL), JSON_E_SYNTAX);
	cr_assert_eq(jval_parse(&root, bytes_of(NULL, 0), NULL), JSON_E_SYNTAX);
	cr_assert_null(root);
}

Test(jval, errors_name_line_and_column)
{
	struct jval *root = NULL;
	struct err err;

	jval_parse(&root, bytes_of_str("{\n  \"a\": 1,\n  \"b\": x\n}"), &err);
	cr_assert_eq(strncmp(err.message, "line 3 column ", 14), 0, "%s", err.message);
	jval_parse(&root, bytes_of_str("{\n  \"same\": 1,\n  \"same\": 2\n}"), &err);
	cr_assert_not_null(strstr(err.message, "duplicate"), "%s", err.message);
}

/* Ends before what it holds, so a sanitizer sees a read too far. */
Test(jval, parse_stays_within_the_text)
{
	char text[] = "[1,22,\"three\"]";

	for (size_t size = 0; size < sizeof(text) - 1; size++) {
		char *cut = malloc(size ? size : 1);
		struct jval *root = NULL;

		memcpy(cut, text, size);
		cr_assert_eq(jval_parse(&root, bytes_of(cut, size), NULL), JSON_E_SYNTAX);
		free(cut);
	}
}

/* `depth` containers, arrays and objects by turns, around "x". */
static void nest(struct buf *out, unsigned depth, const char *inside)
{
	buf_reset(out);
	for (unsigned i = 0; i < depth; i++)
		buf_append_bytes(out, bytes_of_str(i % 2 ? "{\"k\":" : "[\n"));
	buf_append_bytes(out, bytes_of_str(inside));
	for (unsigned i = depth; i-- > 0;)
		buf_append_bytes(out, bytes_of_str(i % 2 ? "}" : "]"));
}

Test(jval, depth_is_bounded)
{
	struct buf text = { 0 };

	for (unsigned depth = 1; depth <= 200; depth++) {
		struct jval *root = NULL;
		struct err err = { 0 };
		int code;

		nest(&text, depth, "1");
		code = jval_parse(&root, buf_bytes(&text), &err);
		cr_assert_eq(code, depth <= LIMIT_JSON_DEPTH_MAX ? OK : JSON_E_DEPTH, "%u", depth);
		if (depth > LIMIT_JSON_DEPTH_MAX)
			cr_assert_str_eq(err.message, "line 33 column 6: nested deeper than 64");
		jval_free(root);
	}
	buf_clear(&text);
}

Test(jval, depth_ignores_brackets_in_strings)
{
	struct buf text = { 0 };
	struct jval *root;

	nest(&text, LIMIT_JSON_DEPTH_MAX, "\"[[[{{{\\\"[[[[\\\\\"");
	cr_assert_eq(jval_parse(&root, buf_bytes(&text), NULL), OK);
	jval_free(root);
	nest(&text, LIMIT_JSON_DEPTH_MAX, "\"\\\\\",[]");
	cr_assert_eq(jval_parse(&root, buf_bytes(&text), NULL), JSON_E_DEPTH);
	buf_clear(&text);
}

Test(jval, depth_falls_where_containers_end)
{
	struct buf text = { 0 };
	struct jval *root;

	buf_append_byte(&text, '[');
	for (int i = 0; i < 1000; i++)
		buf_append_bytes(&text, bytes_of_str("[{}],"));
	buf_append_bytes(&text, bytes_of_str("1]"));
	cr_assert_eq(jval_parse(&root, buf_bytes(&text), NULL), OK);
	cr_assert_eq(jval_count(root), 1001);
	jval_free(root);
	buf_reset(&text);
	/* Closing what is not open must not buy depth. */
	for (int i = 0; i < 1000; i++)
		buf_append_byte(&text, ']');
	for (int i = 0; i < 100000; i++)
		buf_append_byte(&text, '[');
	cr_assert_eq(jval_parse(&root, buf_bytes(&text), NULL), JSON_E_DEPTH);
	buf_clear(&text);
}
