/*
 * rpc_client - JSON-RPC calls for the command line and the load generator:
 * blocking, one connection.
 */
#ifndef WEFT_APP_RPC_CLIENT_H
#define WEFT_APP_RPC_CLIENT_H

#include "base/u256.h"
#include "io/http.h"
#include "json/json.h"

enum rpc_client_error {
	RPC_CLIENT_E_REFUSED = ERR_BASE_APP + 20, /* the node answered with an error; the message is its */
	RPC_CLIENT_E_REPLY,                       /* an answer that is not JSON-RPC, or of another shape */
};

struct rpc_client {
	struct http_client *http;
	struct buf out, in;
	struct jval *reply;        /* the newest; results borrow from it */
	int64_t error_code;        /* of the newest RPC_CLIENT_E_REFUSED */
	const struct jval *error;  /* … and all of it, borrowed until the next call */
	uint32_t timeout_ms;
};

/* `url` as for http_client_new(). The connection is opened by the first call. */
int rpc_client_open(struct rpc_client *c, const char *url, struct err *err);
void rpc_client_close(struct rpc_client *c);

/* Calls `method` with `params`, a JSON array. *result (an absent or null result
 * gives a JVAL_NULL or NULL value) is borrowed until the next call. */
int rpc_client_call(struct rpc_client *c, const char *method, struct bytes params,
		    const struct jval **result, struct err *err);

/* Posts a batch that is already JSON text; *replies is the array of answers, as
 * many as `count`, sorted as asked if the node keeps the order (ids tell). */
int rpc_client_batch(struct rpc_client *c, struct bytes batch, size_t count,
		     const struct jval **replies, struct err *err);

/* A call whose result is a QUANTITY. `params_format`: printf for the params array. */
int rpc_client_quantity(struct rpc_client *c, struct u256 *out, struct err *err,
			const char *method, const char *params_format, ...)
	__attribute__((format(printf, 5, 6)));
int rpc_client_u64(struct rpc_client *c, uint64_t *out, struct err *err, const char *method,
		   const char *params_format, ...) __attribute__((format(printf, 5, 6)));

#endif
