/*
 * err - how a failure that is a peer's or a user's travels.
 *
 * A function that can fail so returns an int: 0 (OK) or a code of its own
 * module's enum, and fills the caller's `struct err`, if there is one. Every
 * module's enum starts at its own base below, so that a code names its module.
 * On failure the callee's state is as it was before the call.
 */
#ifndef WEFT_BASE_ERR_H
#define WEFT_BASE_ERR_H

#define OK 0

/* First code of each module's enum; every module has 100 codes. */
enum err_base {
	ERR_BASE_CRYPTO = 100,
	ERR_BASE_CODEC = 200,
	ERR_BASE_JSON = 300,
	ERR_BASE_CHAIN = 400,
	ERR_BASE_KEYSTORE = 500,
	ERR_BASE_STATE = 600,
	ERR_BASE_VM = 700,
	ERR_BASE_TXPOOL = 800,
	ERR_BASE_DAG = 900,
	ERR_BASE_CONSENSUS = 1000,
	ERR_BASE_SPV = 1100,
	ERR_BASE_EXEC = 1200,
	ERR_BASE_WIRE = 1300,
	ERR_BASE_STORE = 1400,
	ERR_BASE_P2P = 1500,
	ERR_BASE_RPC = 1600,
	ERR_BASE_IO = 1700,
	ERR_BASE_NODE = 1800,
	ERR_BASE_APP = 1900,
	ERR_BASE_ABI = 2000,
};

#define ERR_MESSAGE_MAX 512 /* two paths and what to do */

struct err {
	int code;          /* 0 while nothing failed */
	const char *where; /* the function that found it; a static string */
	char message[ERR_MESSAGE_MAX]; /* one sentence for a person: what is wrong, what to do */
};

/* Fills `err` (NULL is allowed) and returns `code`:
 *     return ERR_SET(err, RLP_E_SHORT, "needs %zu bytes, has %zu", need, have); */
#define ERR_SET(err, code, ...) err_set((err), (code), __func__, __VA_ARGS__)

int err_set(struct err *err, int code, const char *where, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts "<prefix>: " before the message of an err that is already set and
 * returns its code: for adding which file or field it was about. A NULL `err`
 * is left alone and `code` comes back. */
int err_prefix(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
