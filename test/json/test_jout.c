#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/rand.h"
#include "json/json.h"

#define assert_text(out, want) \
	cr_assert(bytes_equal(buf_bytes(out), bytes_of_str(want)), "%.*s is not %s", \
		  (int)(out)->size, (const char *)(out)->data, (want))

Test(jout, containers_place_commas)
{
	struct buf out = { 0 };
	struct jout j;

	jout_init(&j, &out);
	jout_object(&j);
	jout_key(&j, "a");
	jout_array(&j);
	jout_integer(&j, 1);
	jout_array(&j);
	jout_array_end(&j);
	jout_object(&j);
	jout_object_end(&j);
	jout_object(&j);
	jout_key(&j, "x");
	jout_null(&j);
	jout_key(&j, "y");
	jout_bool(&j, true);
	jout_object_end(&j);
	jout_bool(&j, false);
	jout_array_end(&j);
	jout_key(&j, "b");
	jout_str(&j, "s");
	jout_object_end(&j);
	assert_text(&out, "{\"a\":[1,[],{},{\"x\":null,\"y\":true},false],\"b\":\"s\"}");
	buf_clear(&out);
}

Test(jout, appends_to_what_is_there)
{
	struct buf out = { 0 };
	struct jout j;

	buf_append(&out, "HTTP ", 5);
	jout_init(&j, &out);
	jout_integer(&j, 7);
	assert_text(&out, "HTTP 7");
	buf_clear(&out);
}

static void expect_string(struct bytes text, const char *want)
{
	struct buf out = { 0 };
	struct jout j;

	jout_init(&j, &out);
	jout_string(&j, text);
	assert_text(&out, want);
	buf_clear(&out);
}

Test(jout, strings_are_escaped)
{
	expect_string(bytes_of(NULL, 0), "\"\"");
	expect_string(bytes_of_str("plain text / 0x7f \x7f"), "\"plain text / 0x7f \x7f\"");
	expect_string(bytes_of_str("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
	expect_string(bytes_of("\0\x01\x1f", 3), "\"\\u0000\\u0001\\u001f\"");
	expect_string(bytes_of_str("a\"b\"c"), "\"a\\\"b\\\"c\"");
}

#define BAD "\xef\xbf\xbd"

Test(jout, strings_keep_utf8_and_mark_the_rest)
{
	expect_string(bytes_of_str("\xc2\x80\xdf\xbf"), "\"\xc2\x80\xdf\xbf\"");
	expect_string(bytes_of_str("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
		      "\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"");
	expect_string(bytes_of_str("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
		      "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
	/* Lone continuation, overlong forms, surrogates, too large, cut off. */
	expect_string(bytes_of_str("a\x80z"), "\"a" BAD "z\"");
	expect_string(bytes_of_str("\xc0\x80"), "\"" BAD BAD "\"");
	expect_string(bytes_of_str("\xc1\xbf"), "\"" BAD BAD "\"");
	expect_string(bytes_of_str("\xe0\x9f\xbf"), "\"" BAD BAD BAD "\"");
	expect_string(bytes_of_str("\xed\xa0\x80"), "\"" BAD BAD BAD "\"");
	expect_string(bytes_of_str("\xf0\x8f\xbf\xbf"), "\"" BAD BAD BAD BAD "\"");
	expect_string(bytes_of_str("\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\"");
	expect_string(bytes_of_str("\xf5\x80\x80\x80"), "\"" BAD BAD BAD BAD "\"");
	expect_string(bytes_of_str("\xff\xfe"), "\"" BAD BAD "\"");
	expect_string(bytes_of_str("\xc3"), "\"" BAD "\"");
	expect_string(bytes_of_str("\xe2\x82"), "\"" BAD BAD "\"");
	expect_string(bytes_of_str("\xe2\x82\"x"), "\"" BAD BAD "\\\"x\"");
	expect_string(bytes_of_str("\xc3\xc3\xa9"), "\"" BAD "\xc3\xa9\"");
}

Test(jout, any_bytes_give_json)
{
	struct buf out = { 0 };
	struct rng r;

	rng_init(&r, 1);
	for (int i = 0; i < 20000; i++) {
		uint8_t text[12];
		size_t size = (size_t)rng_below(&r, sizeof(text) + 1);
		struct jval *v;
		struct jout j;

		for (size_t k = 0; k < size; k++)
			text[k] = (uint8_t)(rng_below(&r, 255) + 1);
		buf_reset(&out);
		jout_init(&j, &out);
		jout_string(&j, bytes_of(text, size));
		cr_assert_eq(jval_parse(&v, buf_bytes(&out), NULL), OK);
		cr_assert_geq(jval_string(v).size, size);
		jval_free(v);
	}
	buf_clear(&out);
}

Test(jout, integers_reach_their_edges)
{
	struct buf out = { 0 };
	struct jout j;

	jout_init(&j, &out);
	jout_array(&j);
	jout_integer(&j, INT64_MIN);
	jout_integer(&j, -1);
	jout_integer(&j, INT64_MAX);
	jout_unsigned(&j, 0);
	jout_unsigned(&j, UINT64_MAX);
	jout_array_end(&j);
	assert_text(&out, "[-9223372036854775808,-1,9223372036854775807,0,18446744073709551615]");
	buf_clear(&out);
}

Test(jout, reals_are_short_and_stay_reals)
{
	static const struct {
		double v;
		const char *want;
	} rows[] = {
		{ 0.0, "0.0" }, { -0.0, "-0.0" }, { 1.0, "1.0" }, { 0.1, "0.1" }, { -2.5, "-2.5" },
		{ 1e300, "1e+300" }, { 1.0 / 3, "0.3333333333333333" }, { 123456789012345.0, "123456789012345.0" },
		{ 5e-324, "4.94065645841247e-324" }, { DBL_MAX, "1.7976931348623157e+308" },
		{ INFINITY, "null" }, { -INFINITY, "null" }, { NAN, "null" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct buf out = { 0 };
		struct jout j;

		jout_init(&j, &out);
		jout_real(&j, rows[i].v);
		assert_text(&out, rows[i].want);
		buf_clear(&out);
	}
}

Test(jout, reals_round_trip)
{
	struct buf out = { 0 };
	struct rng r;

	rng_init(&r, 2);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = rng_next(&r);
		struct jval *v;
		struct jout j;
		double x, y;

		memcpy(&x, &bits, sizeof(x));
		if (!isfinite(x))
			continue;
		buf_reset(&out);
		jout_init(&j, &out);
		jout_real(&j, x);
		cr_assert_eq(jval_parse(&v, buf_bytes(&out), NULL), OK);
		cr_assert_eq(jval_kind(v), JVAL_REAL);
		y = jval_real(v);
		cr_assert_eq(memcmp(&x, &y, sizeof(x)), 0, "%.17g", x);
		jval_free(v);
	}
	buf_clear(&out);
}

Test(jout, data_and_quantity)
{
	static const uint8_t be[] = { 0, 0, 0x0a, 0xbc }, even[] = { 0, 0xab, 0x0c }, zeros[4];
	struct buf out = { 0 };
	struct jout j;

	jout_init(&j, &out);
	jout_array(&j);
	jout_data(&j, bytes_of(NULL, 0));
	jout_data(&j, bytes_of(be, sizeof(be)));
	jout_quantity_be(&j, bytes_of(be, sizeof(be)));
	jout_quantity_be(&j, bytes_of(even, sizeof(even)));
	jout_quantity_be(&j, bytes_of(zeros, sizeof(zeros)));
	jout_quantity_be(&j, bytes_of(NULL, 0));
	jout_quantity(&j, 0);
	jout_quantity(&j, 1);
	jout_quantity(&j, 0x10);
	jout_quantity(&j, UINT64_MAX);
	jout_array_end(&j);
	assert_text(&out, "[\"0x\",\"0x00000abc\",\"0xabc\",\"0xab0c\",\"0x0\",\"0x0\",\"0x0\",\"0x1\","
			  "\"0x10\",\"0xffffffffffffffff\"]");
	buf_clear(&out);
}

Test(jout, raw_stands_as_it_is)
{
	struct buf out = { 0 };
	struct jout j;

	jout_init(&j, &out);
	jout_array(&j);
	jout_raw(&j, bytes_of_str("{\"a\":1}"));
	jout_raw(&j, bytes_of_str("[]"));
	jout_array_end(&j);
	assert_text(&out, "[{\"a\":1},[]]");
	buf_clear(&out);
}

Test(jout, jval_is_written_again)
{
	const char *text = "{\"z\":[1,-2.5,\"\\u0001\xc3\xa9\",null,true,false,{}],\"k\\\"\":{\"\":[]}}";
	struct buf out = { 0 };
	struct jval *v;
	struct jout j;

	cr_assert_eq(jval_parse(&v, bytes_of_str(text), NULL), OK);
	jout_init(&j, &out);
	jout_jval(&j, v);
	assert_text(&out, text);
	buf_reset(&out);
	jout_init(&j, &out);
	jout_array(&j);
	jout_jval(&j, NULL);
	jout_jval(&j, jval_get(v, "k\""));
	jout_array_end(&j);
	assert_text(&out, "[null,{\"\":[]}]");
	jval_free(v);
	buf_clear(&out);
}

static void open_arrays(struct jout *j, struct buf *out, unsigned depth)
{
	jout_init(j, out);
	for (unsigned i = 0; i < depth; i++)
		jout_array(j);
}

Test(jout, deepest_container_and_deepest_jval)
{
	struct buf text = { 0 }, out = { 0 };
	struct jval *v, *again;
	struct jout j;

	open_arrays(&j, &text, LIMIT_JSON_DEPTH_MAX);
	jout_integer(&j, 1);
	jout_integer(&j, 2);
	for (unsigned i = 0; i < LIMIT_JSON_DEPTH_MAX; i++)
		jout_array_end(&j);
	cr_assert_eq(jval_parse(&v, buf_bytes(&text), NULL), OK);
	/* What a caller sent may be written back from inside an envelope. */
	jout_init(&j, &out);
	jout_object(&j);
	jout_key(&j, "id");
	jout_jval(&j, v);
	jout_object_end(&j);
	cr_assert_eq(out.size, text.size + 7);
	cr_assert_eq(jval_parse(&again, buf_bytes(&out), NULL), JSON_E_DEPTH);
	jval_free(v);
	buf_clear(&text);
	buf_clear(&out);
}

/* --- what a programmer gets wrong --- */

static struct buf wasted;

Test(jout, too_deep_aborts, .signal = SIGABRT)
{
	struct jout j;

	open_arrays(&j, &wasted, LIMIT_JSON_DEPTH_MAX + 1);
}

Test(jout, value_without_key_aborts, .signal = SIGABRT)
{
	struct jout j;

	jout_init(&j, &wasted);
	jout_object(&j);
	jout_integer(&j, 1);
}

Test(jout, key_in_array_aborts, .signal = SIGABRT)
{
	struct jout j;

	open_arrays(&j, &wasted, 1);
	jout_key(&j, "k");
}

Test(jout, key_at_root_aborts, .signal = SIGABRT)
{
	struct jout j;

	jout_init(&j, &wasted);
	jout_key(&j, "k");
}

Test(jout, two_keys_abort, .signal = SIGABRT)
{
	struct jout j;

	jout_init(&j, &wasted);
	jout_object(&j);
	jout_key(&j, "k");
	jout_key(&j, "l");
}

Test(jout, key_without_value_aborts, .signal = SIGABRT)
{
	struct jout j;

	jout_init(&j, &wasted);
	jout_object(&j);
	jout_key(&j, "k");
	jout_object_end(&j);
}

Test(jout, wrong_end_aborts, .signal = SIGABRT)
{
	struct jout j;

	open_arrays(&j, &wasted, 1);
	jout_object_end(&j);
}

Test(jout, end_of_nothing_aborts, .signal = SIGABRT)
{
	struct jout j;

	jout_init(&j, &wasted);
	jout_array_end(&j);
}

Test(jout, two_roots_abort, .signal = SIGABRT)
{
	struct jout j;

	jout_init(&j, &wasted);
	jout_integer(&j, 1);
	jout_integer(&j, 2);
}
