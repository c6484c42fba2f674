#include "abi/internal.h"

#include "base/check.h"
#include "codec/hex.h"

#define SHOWN_MAX 128 /* bytes of data that nobody knows */

/* The compiler's own errors. */
static bool decode_own(struct abi_revert *out, struct abi_pool *pool, const char *signature, struct bytes data)
{
	struct hash h;

	CHECK(abi_parse_signature(&out->own, pool, signature, NULL) == OK);
	abi_hash(&h, &out->own);
	if (memcmp(h.bytes, data.data, ABI_SELECTOR_SIZE) != 0)
		return false;
	out->item = &out->own;
	return abi_decode(&out->values, pool, &out->own.inputs,
			  bytes_of(data.data + ABI_SELECTOR_SIZE, data.size - ABI_SELECTOR_SIZE), NULL) == OK;
}

static bool decode_custom(struct abi_revert *out, struct abi_pool *pool, const struct abi *abi, struct bytes data)
{
	out->item = abi ? abi_find_selector(abi, ABI_ITEM_ERROR, data.data) : NULL;
	return out->item && abi_decode(&out->values, pool, &out->item->inputs,
				       bytes_of(data.data + ABI_SELECTOR_SIZE, data.size - ABI_SELECTOR_SIZE),
				       NULL) == OK;
}

void abi_decode_revert(struct abi_revert *out, struct abi_pool *pool, const struct abi *abi, struct bytes data)
{
	*out = (struct abi_revert){ .kind = ABI_REVERT_UNKNOWN };
	if (data.size == 0) {
		out->kind = ABI_REVERT_EMPTY;
		return;
	}
	if (data.size >= ABI_SELECTOR_SIZE) {
		if (decode_own(out, pool, "error Error(string message)", data))
			out->kind = ABI_REVERT_ERROR;
		else if (decode_own(out, pool, "error Panic(uint256 code)", data))
			out->kind = ABI_REVERT_PANIC;
		else if (decode_custom(out, pool, abi, data))
			out->kind = ABI_REVERT_CUSTOM;
	}
	if (out->kind == ABI_REVERT_UNKNOWN)
		out->item = NULL;
}

/* docs.soliditylang.org, "Panic via assert and Error via require". */
static const char *panic_reason(const struct u256 *code)
{
	static const struct { uint64_t code; const char *reason; } reasons[] = {
		{ 0x00, "panic of the compiler's own" }, { 0x01, "an assertion failed" },
		{ 0x11, "a number over- or underflowed" }, { 0x12, "division by zero" },
		{ 0x21, "a number is none of its enum" }, { 0x22, "a storage array is badly encoded" },
		{ 0x31, "pop from an empty array" }, { 0x32, "an index is beyond its array's end" },
		{ 0x41, "too much memory was asked for" }, { 0x51, "a function that was never set was called" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(reasons); i++)
		if (u256_fits_u64(code) && code->limbs[0] == reasons[i].code)
			return reasons[i].reason;
	return "for a reason that Solidity does not name";
}

static void format_panic(struct buf *out, const struct abi_revert *r)
{
	struct u256 code = u256_from_be(bytes_of(r->values.list.items[0].word, 32));
	char text[HEX_U256_SIZE];

	hex_format_u256(text, &code);
	buf_printf(out, "panic %s: %s", text, panic_reason(&code));
}

/* Name(one: 1, two: "2") */
static void format_custom(struct buf *out, const struct abi_revert *r)
{
	const struct abi_type *inputs = &r->item->inputs;

	buf_printf(out, "%s(", r->item->name);
	for (size_t i = 0; i < inputs->count; i++) {
		if (i)
			buf_printf(out, ", ");
		if (*inputs->parts[i].name) {
			abi_put_text(out, bytes_of_str(inputs->parts[i].name), 0);
			buf_printf(out, ": ");
		}
		abi_format(out, &inputs->parts[i], &r->values.list.items[i]);
	}
	buf_append_byte(out, ')');
}

void abi_format_revert(struct buf *out, const struct abi_revert *r, struct bytes data)
{
	size_t shown = MIN(data.size, SHOWN_MAX);

	switch (r->kind) {
	case ABI_REVERT_EMPTY:
		buf_printf(out, "without a reason");
		return;
	case ABI_REVERT_ERROR:
		abi_format(out, &r->item->inputs.parts[0], &r->values.list.items[0]);
		return;
	case ABI_REVERT_PANIC:
		format_panic(out, r);
		return;
	case ABI_REVERT_CUSTOM:
		format_custom(out, r);
		return;
	case ABI_REVERT_UNKNOWN:
		buf_printf(out, "with data 0x");
		hex_encode((char *)buf_extend(out, 2 * shown), bytes_of(data.data, shown));
		if (shown < data.size)
			buf_printf(out, "… (%zu bytes)", data.size);
		return;
	}
	UNREACHABLE();
}

void abi_write_revert(struct jout *j, const struct abi_revert *r, struct bytes data)
{
	struct buf text = { 0 };

	jout_object(j);
	jout_key(j, "data");
	jout_data(j, data);
	jout_key(j, "reason");
	abi_format_revert(&text, r, data);
	jout_string(j, buf_bytes(&text));
	if (r->item) {
		buf_reset(&text);
		abi_put_signature(&text, r->item);
		jout_key(j, "error");
		jout_string(j, buf_bytes(&text));
		jout_key(j, "values");
		abi_write_members(j, &r->item->inputs, &r->values);
	}
	jout_object_end(j);
	buf_clear(&text);
}
