#include "rpc/read.h"

#include "base/check.h"
#include "codec/hex.h"

int rpc_bad(struct err *err, const char *what)
{
	return ERR_SET(err, RPC_E_PARAMS, "%s", what);
}

const char *rpc_kind_text(const struct jval *v)
{
	switch (jval_kind(v)) {
	case JVAL_ABSENT:
		return "nothing";
	case JVAL_NULL:
		return "null";
	case JVAL_BOOL:
		return "a boolean";
	case JVAL_INTEGER:
	case JVAL_REAL:
		return "a number";
	case JVAL_STRING:
		return "a string";
	case JVAL_ARRAY:
		return "an array";
	case JVAL_OBJECT:
		return "an object";
	}
	UNREACHABLE();
}

int rpc_want_kind(struct err *err, const char *want, const char *what, const struct jval *v)
{
	return ERR_SET(err, RPC_E_PARAMS, "want %s for %s, not %s", want, what, rpc_kind_text(v));
}

/* The digits behind "0x". */
static int take_digits(struct bytes *out, const struct jval *v, const char *what, struct err *err)
{
	struct bytes text = jval_string(v);

	if (jval_kind(v) != JVAL_STRING)
		return rpc_want_kind(err, "a string", what, v);
	if (text.size < 2 || text.data[0] != '0' || text.data[1] != 'x')
		return ERR_SET(err, RPC_E_PARAMS, "hex string without 0x prefix for %s", what);
	*out = bytes_of(text.data + 2, text.size - 2);
	return OK;
}

int rpc_read_fixed(uint8_t *out, size_t size, const struct jval *v, const char *what,
		   struct err *err)
{
	struct bytes digits;
	int code = take_digits(&digits, v, what, err);

	if (code != OK)
		return code;
	if (digits.size != 2 * size)
		return ERR_SET(err, RPC_E_PARAMS, "hex string has length %zu, want %zu for %s",
			       digits.size, 2 * size, what);
	if (!hex_decode(out, size, digits))
		return ERR_SET(err, RPC_E_PARAMS, "invalid hex string for %s", what);
	return OK;
}

int rpc_read_data(struct buf *out, const struct jval *v, const char *what, struct err *err)
{
	struct bytes digits;
	int code = take_digits(&digits, v, what, err);
	size_t mark = out->size;

	if (code != OK)
		return code;
	if (digits.size % 2 != 0)
		return ERR_SET(err, RPC_E_PARAMS, "hex string of odd length for %s", what);
	if (!hex_decode(buf_extend(out, digits.size / 2), digits.size / 2, digits)) {
		out->size = mark;
		return ERR_SET(err, RPC_E_PARAMS, "invalid hex string for %s", what);
	}
	return OK;
}

/* What is wrong with a QUANTITY that hex.h refused. */
static int bad_quantity(struct bytes text, unsigned bits, const char *what, struct err *err)
{
	struct bytes digits;

	if (text.size < 2 || text.data[0] != '0' || text.data[1] != 'x')
		return ERR_SET(err, RPC_E_PARAMS, "hex string without 0x prefix for %s", what);
	digits = bytes_of(text.data + 2, text.size - 2);
	if (digits.size == 0)
		return ERR_SET(err, RPC_E_PARAMS, "empty hex string for %s", what);
	for (size_t i = 0; i < digits.size; i++)
		if (!strchr("0123456789abcdefABCDEF", digits.data[i]) || !digits.data[i])
			return ERR_SET(err, RPC_E_PARAMS, "invalid hex string for %s", what);
	if (digits.data[0] == '0')
		return ERR_SET(err, RPC_E_PARAMS, "hex number with leading zero digits for %s",
			       what);
	return ERR_SET(err, RPC_E_PARAMS, "hex number > %u bits for %s", bits, what);
}

int rpc_read_quantity(uint64_t *out, const struct jval *v, const char *what, struct err *err)
{
	if (jval_kind(v) == JVAL_INTEGER) {
		if (jval_integer(v) < 0)
			return ERR_SET(err, RPC_E_PARAMS, "negative number for %s", what);
		*out = (uint64_t)jval_integer(v);
		return OK;
	}
	if (jval_kind(v) != JVAL_STRING)
		return rpc_want_kind(err, "a hex string or an integer", what, v);
	if (!hex_parse_u64(out, jval_string(v)))
		return bad_quantity(jval_string(v), 64, what, err);
	return OK;
}

int rpc_read_wei(struct wei *out, const struct jval *v, const char *what, struct err *err)
{
	uint64_t small;
	int code;

	if (jval_kind(v) == JVAL_STRING) {
		if (!hex_parse_u256(&out->n, jval_string(v)))
			return bad_quantity(jval_string(v), 256, what, err);
		return OK;
	}
	code = rpc_read_quantity(&small, v, what, err);
	if (code == OK)
		*out = wei_of(small);
	return code;
}

const struct jval *rpc_member(const struct jval *v, const char *key)
{
	const struct jval *m = jval_get(v, key);

	return jval_kind(m) == JVAL_NULL ? NULL : m;
}

int rpc_read_word(struct hash *out, bool *is_short, const struct jval *v, const char *what,
		  struct err *err)
{
	struct bytes digits;
	char padded[64];
	int code = take_digits(&digits, v, what, err);

	if (code != OK)
		return code;
	if (digits.size == 0)
		return ERR_SET(err, RPC_E_PARAMS, "empty hex string for %s", what);
	if (digits.size > sizeof(padded))
		return ERR_SET(err, RPC_E_PARAMS, "%s too long (want at most 32 bytes)", what);
	memset(padded, '0', sizeof(padded));
	memcpy(padded + sizeof(padded) - digits.size, digits.data, digits.size);
	if (!hex_decode(out->bytes, 32, bytes_of(padded, sizeof(padded))))
		return ERR_SET(err, RPC_E_PARAMS, "invalid hex string for %s", what);
	*is_short = digits.size < sizeof(padded);
	return OK;
}
