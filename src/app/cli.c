#include "app/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "app/files.h"
#include "base/amount.h"
#include "codec/hex.h"
#include "io/clock.h"
#include "keystore/keystore.h"

#define SECRET_SIZE_MAX 4096

/* --- the node --- */

static int explain(const struct cli *c, int code, struct err *err)
{
	char old[ERR_MESSAGE_MAX];

	if (code != IO_E_CONNECT && code != IO_E_TIMEOUT)
		return code;
	memcpy(old, err->message, sizeof(old));
	if (code == IO_E_CONNECT)
		return ERR_SET(err, code, "%.140s; start a node with \"weftd --dev\", or name another "
			       "with --rpc URL", old);
	return ERR_SET(err, code, "%.180s; is %.60s a node?", old, c->options.rpc);
}

__attribute__((format(printf, 5, 0)))
static int call(struct cli *c, const struct jval **result, struct err *err, const char *method,
		const char *format, va_list args)
{
	struct buf params = { 0 };
	char *text;
	int code;

	if (vasprintf(&text, format, args) < 0)
		return ERR_SET(err, APP_E_FILE, "no memory");
	buf_append(&params, text, strlen(text));
	free(text);
	code = explain(c, rpc_client_call(&c->rpc, method, buf_bytes(&params), result, err), err);
	buf_clear(&params);
	return code;
}

int cli_call(struct cli *c, const struct jval **result, struct err *err, const char *method,
	     const char *params_format, ...)
{
	va_list args;
	int code;

	va_start(args, params_format);
	code = call(c, result, err, method, params_format, args);
	va_end(args);
	return code;
}

static int to_number(struct u256 *out, const struct jval *v, const char *method, struct err *err)
{
	if (!hex_parse_u256(out, jval_string(v)))
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "%s gives no number", method);
	return OK;
}

int cli_call_number(struct cli *c, struct u256 *out, struct err *err, const char *method,
		    const char *params_format, ...)
{
	const struct jval *result;
	va_list args;
	int code;

	va_start(args, params_format);
	code = call(c, &result, err, method, params_format, args);
	va_end(args);
	return code == OK ? to_number(out, result, method, err) : code;
}

int cli_call_u64(struct cli *c, uint64_t *out, struct err *err, const char *method,
		 const char *params_format, ...)
{
	const struct jval *result;
	struct u256 n;
	va_list args;
	int code;

	va_start(args, params_format);
	code = call(c, &result, err, method, params_format, args);
	va_end(args);
	if (code == OK)
		code = to_number(&n, result, method, err);
	if (code == OK && !u256_fits_u64(&n))
		code = ERR_SET(err, RPC_CLIENT_E_REPLY, "%s gives a number that is too large", method);
	if (code == OK)
		*out = n.limbs[0];
	return code;
}

/* --- addresses --- */

const char *cli_format_address(char out[CLI_ADDRESS_SIZE], const struct addr *a)
{
	return abi_format_address(out, a);
}

int cli_parse_address(struct addr *out, const char *text, struct err *err)
{
	int code = abi_parse_address(out, text, err);

	if (code != OK && err)
		err->code = APP_E_REFUSED;
	return code == OK ? OK : APP_E_REFUSED;
}

/* --- amounts --- */

static const struct { const char *name; unsigned digits; } units[] = {
	{ "gwei", 9 }, { "weft", 18 }, { "wei", 0 }, { "", 18 },
};

int cli_parse_amount(struct u256 *wei, const char *text, struct err *err)
{
	size_t whole = strspn(text, "0123456789"), fraction = 0, digits = 0;
	const char *at = text + whole;
	char all[U256_DECIMAL_MAX + 32];

	if (*at == '.') {
		fraction = strspn(at + 1, "0123456789");
		at += 1 + fraction;
	}
	while (*at == ' ')
		at++;
	for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
		if (strcasecmp(at, units[i].name) == 0) {
			digits = units[i].digits;
			break;
		}
		if (i + 1 == ARRAY_COUNT(units))
			return ERR_SET(err, APP_E_REFUSED, "\"%.60s\" is no amount: say 1.5, 100gwei or 5wei",
				       text);
	}
	if (whole == 0 || (text[whole] == '.' && fraction == 0))
		return ERR_SET(err, APP_E_REFUSED, "\"%.60s\" is no amount: say 1.5, 100gwei or 5wei", text);
	if (fraction > digits)
		return ERR_SET(err, APP_E_REFUSED, "\"%.60s\" is finer than 1 wei", text);
	if (whole + digits < sizeof(all)) {
		memcpy(all, text, whole);
		memset(all + whole, '0', digits);
		if (fraction)
			memcpy(all + whole, text + whole + 1, fraction);
		if (u256_from_decimal(wei, bytes_of(all, whole + digits)))
			return OK;
	}
	return ERR_SET(err, APP_E_REFUSED, "\"%.60s\" is more than 2^256 wei", text);
}

const char *cli_format_amount(char out[CLI_AMOUNT_SIZE], const struct u256 *wei)
{
	char digits[U256_DECIMAL_MAX + 1], fraction[20];
	struct u256 coins, rest;
	uint64_t gwei_part, low;
	size_t size = 18;

	/* Twice 9 digits, as 10^18 fits 64 bits and so does each remainder. */
	low = u256_div_u64(&rest, wei, WEI_PER_GWEI);
	gwei_part = u256_div_u64(&coins, &rest, GWEI_PER_COIN);
	u256_to_decimal(digits, &coins);
	snprintf(fraction, sizeof(fraction), "%09llu%09llu", (unsigned long long)gwei_part,
		 (unsigned long long)low);
	while (size > 0 && fraction[size - 1] == '0')
		size--;
	snprintf(out, CLI_AMOUNT_SIZE, "%s%s%.*s", digits, size ? "." : "", (int)size, fraction);
	return out;
}

int cli_parse_number(uint64_t *out, const char *text, const char *what, struct err *err)
{
	struct u256 n;

	if (hex_parse_u64(out, bytes_of_str(text)))
		return OK;
	if (!u256_from_decimal(&n, bytes_of_str(text)) || !u256_fits_u64(&n))
		return ERR_SET(err, APP_E_REFUSED, "\"%.60s\" is no %s: a whole number, decimal or 0x", text,
			       what);
	*out = n.limbs[0];
	return OK;
}

/* --- files and keys --- */

int cli_read_secret(struct buf *out, const char *path, struct err *err)
{
	size_t got;
	int code = OK;

	/* The room is taken at once: growing would leave copies of the secret behind. */
	buf_reserve(out, SECRET_SIZE_MAX + 65536 + 2);
	if (strcmp(path, "-") != 0) {
		code = file_read(path, out, SECRET_SIZE_MAX, err);
	} else {
		got = fread(buf_extend(out, SECRET_SIZE_MAX), 1, SECRET_SIZE_MAX, stdin);
		out->size -= SECRET_SIZE_MAX - got;
		if (ferror(stdin))
			code = ERR_SET(err, APP_E_FILE, "standard input can't be read: %s", strerror(errno));
	}
	if (code != OK)
		return code;
	while (out->size > 0 && out->data[out->size - 1] <= ' ')
		out->size--;
	buf_append_byte(out, '\0');
	out->size--;
	return OK;
}

struct ecc *cli_ecc(void)
{
	uint8_t seed[32];
	struct ecc *e;

	io_entropy(seed, sizeof(seed));
	e = ecc_new(seed);
	crypto_wipe(seed, sizeof(seed));
	return e;
}

/* --- output --- */

int cli_print_json(struct cli *c)
{
	buf_append_byte(&c->out, '\n');
	fwrite(c->out.data, 1, c->out.size, stdout);
	buf_reset(&c->out);
	return OK;
}

void cli_put_text(struct cli *c, const char *key, const char *label, const char *text)
{
	if (c->options.json) {
		jout_key(&c->json, key);
		jout_str(&c->json, text);
	} else {
		printf("%-14s %s\n", label, text);
	}
}

void cli_put_number(struct cli *c, const char *key, const char *label, uint64_t n)
{
	if (c->options.json) {
		jout_key(&c->json, key);
		jout_unsigned(&c->json, n);
	} else {
		printf("%-14s %llu\n", label, (unsigned long long)n);
	}
}

int cli_exit_code(int code)
{
	switch (code) {
	case OK:
		return 0;
	case APP_E_USAGE:
	case ABI_E_COUNT:
		return 2;
	case APP_E_REFUSED:
	case RPC_CLIENT_E_REFUSED:
	case ABI_E_SIGNATURE:
	case ABI_E_DOCUMENT:
	case ABI_E_UNKNOWN:
	case ABI_E_VALUE:
	case ABI_E_DATA:
	case KEYSTORE_E_FORMAT:
	case KEYSTORE_E_UNSUPPORTED:
	case KEYSTORE_E_PASSWORD:
	case KEYSTORE_E_ADDRESS:
	case KEYSTORE_E_EXISTS:
	case CRYPTO_E_KEY:
	case CRYPTO_E_MNEMONIC:
		return 3;
	default:
		return 1;
	}
}
