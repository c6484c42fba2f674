#include "keystore/format.h"

#include <stdio.h>

#include "base/check.h"
#include "base/limits.h"
#include "codec/hex.h"
#include "keystore/keystore.h"

/* --- reading --- */

static int refuse_member(struct err *err, const char *name, const char *want)
{
	return ERR_SET(err, KEYSTORE_E_FORMAT, "the keystore's \"%s\" is not %s", name, want);
}

/* Some writers put 0x before hexadecimal members. */
static struct bytes hex_member(const struct jval *object, const char *name)
{
	struct bytes text = jval_string(jval_get(object, name));

	if (text.size >= 2 && text.data[0] == '0' && text.data[1] == 'x')
		return bytes_of(text.data + 2, text.size - 2);
	return text;
}

static int read_fixed(uint8_t *out, size_t size, const struct jval *object, const char *name,
		      struct err *err)
{
	char want[48];

	if (hex_decode(out, size, hex_member(object, name)))
		return OK;
	snprintf(want, sizeof(want), "%zu bytes of hexadecimal digits", size);
	return refuse_member(err, name, want);
}

static int read_up_to(uint8_t *out, size_t size_max, size_t *size, const struct jval *object,
		      const char *name, struct err *err)
{
	struct bytes text = hex_member(object, name);
	char want[48];

	if (jval_kind(jval_get(object, name)) == JVAL_STRING && text.size / 2 <= size_max &&
	    hex_decode(out, text.size / 2, text)) {
		*size = text.size / 2;
		return OK;
	}
	snprintf(want, sizeof(want), "up to %zu bytes of hexadecimal digits", size_max);
	return refuse_member(err, name, want);
}

static int read_number(uint64_t *out, uint64_t max, const struct jval *object, const char *name,
		       struct err *err)
{
	const struct jval *v = jval_get(object, name);

	if (jval_kind(v) != JVAL_INTEGER || jval_integer(v) < 0 || (uint64_t)jval_integer(v) > max)
		return refuse_member(err, name, "a number in its range");
	*out = (uint64_t)jval_integer(v);
	return OK;
}

static int read_u32(uint32_t *out, const struct jval *object, const char *name, struct err *err)
{
	uint64_t v;
	int code = read_number(&v, UINT32_MAX, object, name, err);

	if (!code)
		*out = (uint32_t)v;
	return code;
}

static bool member_is(const struct jval *object, const char *name, const char *value)
{
	return bytes_equal(jval_string(jval_get(object, name)), bytes_of_str(value));
}

/* The member is there but says something that is not supported; or it is not a
 * string at all. */
static int refuse_choice(struct err *err, const struct jval *object, const char *name,
			 const char *supported)
{
	struct bytes value = jval_string(jval_get(object, name));

	if (!value.data)
		return refuse_member(err, name, "a string");
	return ERR_SET(err, KEYSTORE_E_UNSUPPORTED,
		       "the keystore's \"%s\" is \"%.*s\"; supported: %s", name,
		       (int)MIN(value.size, (size_t)32), (const char *)value.data, supported);
}

static int read_scrypt(struct keystore_file *out, const struct jval *params, struct err *err)
{
	int code;

	out->kdf = KEYSTORE_SCRYPT;
	code = read_number(&out->n, INT64_MAX, params, "n", err);
	if (!code)
		code = read_u32(&out->r, params, "r", err);
	if (!code)
		code = read_u32(&out->p, params, "p", err);
	return code;
}

static int read_pbkdf2(struct keystore_file *out, const struct jval *params, struct err *err)
{
	out->kdf = KEYSTORE_PBKDF2_SHA256;
	if (!member_is(params, "prf", "hmac-sha256"))
		return refuse_choice(err, params, "prf", "hmac-sha256");
	return read_u32(&out->iterations, params, "c", err);
}

static int read_kdf(struct keystore_file *out, const struct jval *crypto, struct err *err)
{
	const struct jval *params = jval_get(crypto, "kdfparams");
	uint64_t derived_size;
	int code;

	if (jval_kind(params) != JVAL_OBJECT)
		return refuse_member(err, "kdfparams", "an object");
	if (member_is(crypto, "kdf", "scrypt"))
		code = read_scrypt(out, params, err);
	else if (member_is(crypto, "kdf", "pbkdf2"))
		code = read_pbkdf2(out, params, err);
	else
		code = refuse_choice(err, crypto, "kdf", "scrypt, pbkdf2");
	if (!code)
		code = read_number(&derived_size, INT64_MAX, params, "dklen", err);
	if (!code)
		code = read_up_to(out->salt, sizeof(out->salt), &out->salt_size, params, "salt",
				  err);
	if (code)
		return code;
	if (derived_size < KEYSTORE_DERIVED_MIN || derived_size > KEYSTORE_DERIVED_MAX)
		return ERR_SET(err, KEYSTORE_E_UNSUPPORTED,
			       "the keystore's \"dklen\" is not between %d and %d",
			       KEYSTORE_DERIVED_MIN, KEYSTORE_DERIVED_MAX);
	out->derived_size = (size_t)derived_size;
	return OK;
}

static int read_crypto(struct keystore_file *out, const struct jval *crypto, struct err *err)
{
	int code;

	if (jval_kind(crypto) != JVAL_OBJECT)
		return refuse_member(err, "crypto", "an object");
	if (!member_is(crypto, "cipher", "aes-128-ctr"))
		return refuse_choice(err, crypto, "cipher", "aes-128-ctr");
	code = read_fixed(out->iv, sizeof(out->iv), jval_get(crypto, "cipherparams"), "iv", err);
	if (!code)
		code = read_up_to(out->ciphertext, sizeof(out->ciphertext), &out->ciphertext_size,
				  crypto, "ciphertext", err);
	if (!code && out->ciphertext_size == 0)
		code = refuse_member(err, "ciphertext", "1 to 32 bytes of hexadecimal digits");
	if (!code)
		code = read_fixed(out->mac.bytes, sizeof(out->mac.bytes), crypto, "mac", err);
	if (!code)
		code = read_kdf(out, crypto, err);
	return code;
}

static int read_root(struct keystore_file *out, const struct jval *root, struct err *err)
{
	const struct jval *version = jval_get(root, "version");
	const struct jval *crypto = jval_get(root, "crypto");
	int code;

	if (jval_kind(version) != JVAL_INTEGER || jval_integer(version) != 3)
		return refuse_member(err, "version", "3");
	if (jval_kind(jval_get(root, "address")) != JVAL_ABSENT) {
		code = read_fixed(out->address.bytes, sizeof(out->address.bytes), root, "address",
				  err);
		if (code)
			return code;
		out->has_address = true;
	}
	return read_crypto(out, crypto ? crypto : jval_get(root, "Crypto"), err);
}

/* Parses the document, whose size is bounded first. */
static int parse_root(struct jval **out, struct bytes text, struct err *err)
{
	int code;

	if (text.size > LIMIT_KEYSTORE_SIZE)
		return ERR_SET(err, KEYSTORE_E_FORMAT, "a keystore file has at most %llu bytes",
			       LIMIT_KEYSTORE_SIZE);
	code = jval_parse(out, text, err);
	if (code) {
		err_prefix(err, code, "the keystore is not JSON");
		if (err)
			err->code = KEYSTORE_E_FORMAT;
		return KEYSTORE_E_FORMAT;
	}
	return OK;
}

int keystore_parse(struct keystore_file *out, struct bytes text, struct err *err)
{
	struct keystore_file read = { 0 };
	struct jval *root;
	int code = parse_root(&root, text, err);

	if (code)
		return code;
	code = read_root(&read, root, err);
	jval_free(root);
	if (!code)
		*out = read;
	return code;
}

bool keystore_parse_address(struct addr *out, struct bytes text)
{
	struct jval *root;
	struct addr read;
	bool ok;

	if (parse_root(&root, text, NULL))
		return false;
	ok = read_fixed(read.bytes, sizeof(read.bytes), root, "address", NULL) == OK;
	jval_free(root);
	if (ok)
		*out = read;
	return ok;
}

/* --- writing --- */

static void put_hex(struct jout *j, const char *key, struct bytes data)
{
	char text[2 * KEYSTORE_SALT_MAX + 1];

	CHECK(data.size <= KEYSTORE_SALT_MAX);
	hex_encode(text, data);
	jout_key(j, key);
	jout_string(j, bytes_of(text, 2 * data.size));
}

static void put_str(struct jout *j, const char *key, const char *value)
{
	jout_key(j, key);
	jout_str(j, value);
}

static void put_number(struct jout *j, const char *key, uint64_t value)
{
	jout_key(j, key);
	jout_unsigned(j, value);
}

static void put_uuid(struct jout *j, const char *key, const uint8_t random[16])
{
	uint8_t id[16];
	char hex[33], text[37];

	memcpy(id, random, sizeof(id));
	id[6] = 0x40 | (id[6] & 0x0f); /* version 4 */
	id[8] = 0x80 | (id[8] & 0x3f); /* the RFC's variant */
	hex_encode(hex, bytes_of(id, sizeof(id)));
	snprintf(text, sizeof(text), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		 hex + 20);
	put_str(j, key, text);
}

static void put_crypto(struct jout *j, const struct keystore_file *file)
{
	jout_object(j);
	put_str(j, "cipher", "aes-128-ctr");
	jout_key(j, "cipherparams");
	jout_object(j);
	put_hex(j, "iv", bytes_of(file->iv, sizeof(file->iv)));
	jout_object_end(j);
	put_hex(j, "ciphertext", bytes_of(file->ciphertext, file->ciphertext_size));
	put_str(j, "kdf", "scrypt");
	jout_key(j, "kdfparams");
	jout_object(j);
	put_number(j, "dklen", file->derived_size);
	put_number(j, "n", file->n);
	put_number(j, "r", file->r);
	put_number(j, "p", file->p);
	put_hex(j, "salt", bytes_of(file->salt, file->salt_size));
	jout_object_end(j);
	put_hex(j, "mac", hash_bytes(&file->mac));
	jout_object_end(j);
}

void keystore_format(struct buf *out, const struct keystore_file *file, const uint8_t uuid[16])
{
	struct jout j;

	CHECK(file->kdf == KEYSTORE_SCRYPT);
	jout_init(&j, out);
	jout_object(&j);
	put_hex(&j, "address", addr_bytes(&file->address));
	jout_key(&j, "crypto");
	put_crypto(&j, file);
	put_uuid(&j, "id", uuid);
	put_number(&j, "version", 3);
	jout_object_end(&j);
	buf_append_byte(out, '\n');
}
