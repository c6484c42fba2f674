#include "app/rpc_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/hex.h"

#define TIMEOUT_MS 30000

int rpc_client_open(struct rpc_client *c, const char *url, struct err *err)
{
	*c = (struct rpc_client){ .timeout_ms = TIMEOUT_MS };
	return http_client_new(&c->http, url, err);
}

void rpc_client_close(struct rpc_client *c)
{
	http_client_free(c->http);
	jval_free(c->reply);
	buf_clear(&c->out);
	buf_clear(&c->in);
	*c = (struct rpc_client){ 0 };
}

/* Posts `out` and parses the answer into `reply`. */
static int post(struct rpc_client *c, struct bytes body, struct err *err)
{
	int status, code;

	jval_free(c->reply);
	c->reply = NULL;
	c->error = NULL;
	code = http_client_post(c->http, body, &c->in, &status, c->timeout_ms, err);
	if (code != OK)
		return code;
	/* JSON-RPC errors may come with any status; what is no JSON is the server's own word. */
	if (jval_parse(&c->reply, buf_bytes(&c->in), err) == OK)
		return OK;
	if (status != 200)
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "the node answers HTTP %d: %.*s", status,
			       (int)MIN(c->in.size, 120), (const char *)c->in.data);
	return ERR_SET(err, RPC_CLIENT_E_REPLY, "the answer is not JSON: is this URL a node's?");
}

/* The error member of an answer, as an error here. */
static int refused(struct rpc_client *c, const struct jval *error, struct err *err)
{
	struct bytes message = jval_string(jval_get(error, "message"));

	c->error = error;
	c->error_code = jval_integer(jval_get(error, "code"));
	return ERR_SET(err, RPC_CLIENT_E_REFUSED, "the node refuses: %.*s (code %lld)",
		       (int)MIN(message.size, 180), message.size ? (const char *)message.data : "",
		       (long long)c->error_code);
}

int rpc_client_call(struct rpc_client *c, const char *method, struct bytes params,
		    const struct jval **result, struct err *err)
{
	const struct jval *error;
	struct jout j;
	int code;

	buf_reset(&c->out);
	jout_init(&j, &c->out);
	jout_object(&j);
	jout_key(&j, "jsonrpc");
	jout_str(&j, "2.0");
	jout_key(&j, "id");
	jout_unsigned(&j, 1);
	jout_key(&j, "method");
	jout_str(&j, method);
	jout_key(&j, "params");
	jout_raw(&j, params);
	jout_object_end(&j);
	code = post(c, buf_bytes(&c->out), err);
	if (code != OK)
		return code;
	error = jval_get(c->reply, "error");
	if (jval_kind(error) == JVAL_OBJECT)
		return refused(c, error, err);
	*result = jval_get(c->reply, "result");
	if (jval_kind(c->reply) != JVAL_OBJECT || !*result)
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "the answer to %s is not JSON-RPC", method);
	return OK;
}

int rpc_client_batch(struct rpc_client *c, struct bytes batch, size_t count,
		     const struct jval **replies, struct err *err)
{
	const struct jval *error;
	int code = post(c, batch, err);

	if (code != OK)
		return code;
	error = jval_get(c->reply, "error");
	if (jval_kind(error) == JVAL_OBJECT)
		return refused(c, error, err);
	if (jval_kind(c->reply) != JVAL_ARRAY || jval_count(c->reply) != count)
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "a batch of %zu was answered by %zu", count,
			       jval_count(c->reply));
	*replies = c->reply;
	return OK;
}

__attribute__((format(printf, 4, 0)))
static int call_quantity(struct rpc_client *c, struct u256 *out, const char *method,
			 const char *params_format, va_list args, struct err *err)
{
	const struct jval *result;
	char params[512];
	int code;

	vsnprintf(params, sizeof(params), params_format, args);
	code = rpc_client_call(c, method, bytes_of_str(params), &result, err);
	if (code != OK)
		return code;
	if (!hex_parse_u256(out, jval_string(result)))
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "%s gives no number", method);
	return OK;
}

int rpc_client_quantity(struct rpc_client *c, struct u256 *out, struct err *err,
			const char *method, const char *params_format, ...)
{
	va_list args;
	int code;

	va_start(args, params_format);
	code = call_quantity(c, out, method, params_format, args, err);
	va_end(args);
	return code;
}

int rpc_client_u64(struct rpc_client *c, uint64_t *out, struct err *err, const char *method,
		   const char *params_format, ...)
{
	struct u256 value;
	va_list args;
	int code;

	va_start(args, params_format);
	code = call_quantity(c, &value, method, params_format, args, err);
	va_end(args);
	if (code != OK)
		return code;
	if (!u256_fits_u64(&value))
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "%s gives a number that is too large", method);
	*out = value.limbs[0];
	return OK;
}
