#include "app/peers.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/files.h"
#include "codec/hex.h"
#include "io/clock.h"

#define NODE_KEY_SIZE_MAX 128

static int parse_address(struct addr *out, struct bytes text, const char *what, struct err *err)
{
	if (hex_parse_fixed(out->bytes, sizeof(out->bytes), text))
		return OK;
	return ERR_SET(err, APP_E_USAGE, "%s: \"%.*s\" is not an address (0x and 40 hexadecimal digits)", what,
		       (int)MIN(text.size, (size_t)80), (const char *)text.data);
}

static int parse_peer(struct p2p_static *out, const char *text, struct err *err)
{
	const char *at = strchr(text, '@');

	if (!at || !at[1])
		return ERR_SET(err, APP_E_USAGE, "--peer takes ADDRESS@HOST:PORT, not \"%s\"", text);
	out->endpoint = at + 1;
	return parse_address(&out->address, bytes_of(text, (size_t)(at - text)), "--peer", err);
}

int peers_parse(struct peers *out, const struct option_list *peers, const struct option_list *allowed,
		struct err *err)
{
	int code = OK;

	*out = (struct peers){ 0 };
	if (peers->count > PEER_STATIC_MAX)
		return ERR_SET(err, APP_E_USAGE, "--peer may be given at most %d times", PEER_STATIC_MAX);
	for (size_t i = 0; code == OK && i < peers->count; i++)
		code = parse_peer(&out->statics[out->static_count++], peers->items[i], err);
	for (size_t i = 0; code == OK && i < allowed->count; i++)
		code = parse_address(&out->allowed[out->allowed_count++], bytes_of_str(allowed->items[i]),
				     "--p2p-allow", err);
	return code;
}

static int make_key(const struct ecc *ecc, const char *path, struct err *err)
{
	struct secret_key key;
	char text[2 * sizeof(key.bytes) + 1];
	mode_t mask;
	int code;

	do
		io_entropy(key.bytes, sizeof(key.bytes));
	while (!ecc_key_valid(ecc, &key));
	hex_encode(text, bytes_of(key.bytes, sizeof(key.bytes)));
	text[sizeof(text) - 1] = '\n';
	mask = umask(0077);
	code = file_create(path, bytes_of(text, sizeof(text)), err);
	umask(mask);
	crypto_wipe(&key, sizeof(key));
	crypto_wipe(text, sizeof(text));
	return code;
}

static int read_key(const struct ecc *ecc, const char *path, struct secret_key *out, struct err *err)
{
	struct buf text = { 0 };
	struct stat status;
	int code = file_read(path, &text, NODE_KEY_SIZE_MAX, err);

	if (code == OK && stat(path, &status) == 0 && (status.st_mode & 077))
		code = ERR_SET(err, APP_E_REFUSED, "others may read %s: chmod 600 %s", path, path);
	while (code == OK && text.size && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
		text.size--;
	if (code == OK && (!hex_decode(out->bytes, sizeof(out->bytes), buf_bytes(&text)) || !ecc_key_valid(ecc, out)))
		code = ERR_SET(err, APP_E_REFUSED, "%s is no key (64 hexadecimal digits): restore it, or remove it to "
			       "get a new one", path);
	if (text.data)
		crypto_wipe(text.data, text.capacity);
	buf_clear(&text);
	return code;
}

int peers_node_key(struct secret_key *out, const struct ecc *ecc, const char *datadir, struct err *err)
{
	char *path = file_join(datadir, "nodekey");
	int code = OK;

	if (access(path, F_OK) != 0)
		code = make_key(ecc, path, err);
	if (code == OK)
		code = read_key(ecc, path, out, err);
	free(path);
	return code;
}
