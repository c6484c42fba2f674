/*
 * What parses, written and parsed again, is equal and writes the same text; and
 * any bytes, written as a string, come back if they are UTF-8.
 */
#include "fuzz.h"

#include "base/check.h"
#include "json/json.h"

/* {"a":[1,-2.5e3,true,false,null,"\u00e9\ud83d\ude00\n"],"b":{}}; a JSON-RPC
 * call; numbers at their edges; nesting; keys twice; what is not UTF-8. */
const char *const fuzz_seeds[] = {
	"7b2261223a5b312c2d322e3565332c747275652c66616c73652c6e756c6c2c225c75303065395c75643833645c"
	"75646530305c6e225d2c2262223a7b7d7d",
	"7b226a736f6e727063223a22322e30222c226964223a312c226d6574686f64223a226574685f63616c6c222c22"
	"706172616d73223a5b7b22746f223a223078227d2c226c6174657374225d7d",
	"5b393232333337323033363835343737353830372c2d393232333337323033363835343737353830385d",
	"39323233333732303336383534373735383038", "5b302e312c31652d372c312e302c2d302e302c31653330385d",
	"3165393939", "5b5b5b5b5b5b5b5b5b5b5d5d5d5d5d5d5d5d5d5d", "7b2261223a312c2261223a327d",
	"22c3a9e282acf09f9982ff22", "225c753030303022", "22eda08022", "5b", "6e756c6c", "2020", "2230225d",
	NULL,
};

static bool equal(const struct jval *a, const struct jval *b);

static bool equal_members(const struct jval *a, const struct jval *b)
{
	void *cursor_a = NULL, *cursor_b = NULL;
	const struct jval *member_a, *member_b;
	const char *key_a, *key_b;

	while (jval_next(a, &cursor_a, &key_a, &member_a)) {
		if (!jval_next(b, &cursor_b, &key_b, &member_b) || strcmp(key_a, key_b) != 0)
			return false;
		CHECK(jval_get(a, key_a) == member_a);
		if (!equal(member_a, member_b))
			return false;
	}
	return true;
}

static bool equal_elements(const struct jval *a, const struct jval *b)
{
	for (size_t i = 0; i < jval_count(a); i++)
		if (!equal(jval_at(a, i), jval_at(b, i)))
			return false;
	return true;
}

/* As deep as the parser lets in. */
static bool equal(const struct jval *a, const struct jval *b)
{
	double x = jval_real(a), y = jval_real(b);

	if (jval_kind(a) != jval_kind(b) || jval_count(a) != jval_count(b))
		return false;
	switch (jval_kind(a)) {
	case JVAL_ABSENT:
		return false;
	case JVAL_NULL:
		return true;
	case JVAL_BOOL:
		return jval_bool(a) == jval_bool(b);
	case JVAL_INTEGER:
		return jval_integer(a) == jval_integer(b);
	case JVAL_REAL:
		return memcmp(&x, &y, sizeof(x)) == 0;
	case JVAL_STRING:
		return bytes_equal(jval_string(a), jval_string(b));
	case JVAL_ARRAY:
		return equal_elements(a, b);
	case JVAL_OBJECT:
		return equal_members(a, b);
	}
	UNREACHABLE();
}

static void write_document(struct buf *out, const struct jval *v)
{
	struct jout j;

	buf_reset(out);
	jout_init(&j, out);
	jout_jval(&j, v);
}

static void check_document(struct bytes text)
{
	struct jval *first, *second;
	struct buf one = { 0 }, two = { 0 };
	struct err err = { 0 };

	if (jval_parse(&first, text, &err) != OK) {
		CHECK(err.code == JSON_E_SYNTAX || err.code == JSON_E_DEPTH);
		return;
	}
	write_document(&one, first);
	CHECK(jval_parse(&second, buf_bytes(&one), &err) == OK);
	CHECK(equal(first, second));
	write_document(&two, second);
	CHECK(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
	jval_free(first);
	jval_free(second);
	buf_clear(&one);
	buf_clear(&two);
}

/* Any bytes make a string that parses, unless a NUL is in it, which the parser
 * refuses; written again it does not change. */
static void check_string(struct bytes text)
{
	struct buf one = { 0 }, two = { 0 };
	struct jval *v;
	struct jout j;

	jout_init(&j, &one);
	jout_string(&j, text);
	if (jval_parse(&v, buf_bytes(&one), NULL) == OK) {
		CHECK(jval_kind(v) == JVAL_STRING && jval_string(v).size >= text.size);
		write_document(&two, v);
		CHECK(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
		jval_free(v);
	} else {
		CHECK(memchr(text.data, 0, text.size));
	}
	buf_clear(&one);
	buf_clear(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_document(bytes_of(data, size));
	check_string(bytes_of(data, size));
	return 0;
}
