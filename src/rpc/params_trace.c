/* The options of debug_trace methods: geth's, with geth's defaults. Members that are not
 * known are passed over, as geth does. */
#include "base/check.h"
#include "rpc/read.h"

static const struct {
	const char *name;
	enum rpc_trace_kind kind;
} tracers[] = {
	{ "callTracer", RPC_TRACE_CALL },
	{ "prestateTracer", RPC_TRACE_PRESTATE },
	{ "4byteTracer", RPC_TRACE_FOUR_BYTE },
	{ "noopTracer", RPC_TRACE_NOOP },
};

static int read_flag(bool *out, const struct jval *v, const char *key, struct err *err)
{
	const struct jval *m = rpc_member(v, key);

	if (!m)
		return OK;
	if (jval_kind(m) != JVAL_BOOL)
		return ERR_SET(err, RPC_E_PARAMS, "want a boolean for %s", key);
	*out = jval_bool(m);
	return OK;
}

/* An amount of time in milliseconds, as Go writes it: numbers with units, "1m30.5s". */
static bool read_duration(struct bytes text, double *out_ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "ns", 1e-6 }, { "us", 1e-3 }, { "\xc2\xb5s", 1e-3 }, { "ms", 1 },
		      { "s", 1e3 }, { "m", 6e4 }, { "h", 3.6e6 } };
	size_t at = 0;

	*out_ms = 0;
	if (text.size == 1 && text.data[0] == '0')
		return true;
	while (at < text.size) {
		double number = 0, place = 1;
		size_t digits = 0, unit_at, i;
		bool is_behind = false;

		for (; at < text.size && strchr("0123456789.", text.data[at]) && text.data[at]; at++) {
			if (text.data[at] == '.' && is_behind)
				return false;
			if (text.data[at] == '.') {
				is_behind = true;
				continue;
			}
			digits++;
			if (is_behind)
				number += (text.data[at] - '0') * (place /= 10);
			else
				number = number * 10 + (text.data[at] - '0');
		}
		for (unit_at = at; at < text.size && !strchr("0123456789.", text.data[at]);)
			at++;
		for (i = 0; i < ARRAY_COUNT(units); i++)
			if (bytes_equal(bytes_of_str(units[i].name),
					bytes_of(text.data + unit_at, at - unit_at)))
				break;
		if (!digits || i == ARRAY_COUNT(units))
			return false;
		*out_ms += number * units[i].ms;
	}
	return text.size > 0;
}

static int read_timeout(struct rpc_trace_options *out, const struct jval *v, struct err *err)
{
	const struct jval *timeout = rpc_member(v, "timeout");
	struct bytes text = jval_string(timeout);
	double ms;

	out->timeout_ms = RPC_TRACE_TIMEOUT_MS;
	if (!timeout)
		return OK;
	if (jval_kind(timeout) != JVAL_STRING)
		return ERR_SET(err, RPC_E_PARAMS, "want a string for timeout, such as \"10s\"");
	if (!read_duration(text, &ms))
		return ERR_SET(err, RPC_E_PARAMS, "time: invalid duration \"%.*s\"",
			       (int)MIN(text.size, (size_t)32), (const char *)text.data);
	out->timeout_ms = ms < (double)RPC_TRACE_TIMEOUT_MAX_MS ? (uint64_t)ms : RPC_TRACE_TIMEOUT_MAX_MS;
	return OK;
}

static int read_tracer(struct rpc_trace_options *out, const struct jval *v, struct err *err)
{
	const struct jval *tracer = rpc_member(v, "tracer");
	struct bytes name = jval_string(tracer);

	if (!tracer)
		return OK;
	if (jval_kind(tracer) != JVAL_STRING)
		return ERR_SET(err, RPC_E_PARAMS, "want a string for tracer");
	for (size_t i = 0; i < ARRAY_COUNT(tracers); i++) {
		if (!bytes_equal(bytes_of_str(tracers[i].name), name))
			continue;
		out->kind = tracers[i].kind;
		return OK;
	}
	if (name.size == 0)
		return OK;
	return ERR_SET(err, RPC_E_PARAMS,
		       "tracer not found: \"%.*s\"; there are callTracer, prestateTracer, 4byteTracer, "
		       "noopTracer and, without a name, the struct logger, but none in JavaScript",
		       (int)MIN(name.size, (size_t)40), (const char *)name.data);
}

static int read_struct_options(struct rpc_trace_options *out, const struct jval *v, struct err *err)
{
	const struct jval *limit = rpc_member(v, "limit");
	int code = read_flag(&out->enable_memory, v, "enableMemory", err);

	if (code == OK)
		code = read_flag(&out->disable_stack, v, "disableStack", err);
	if (code == OK)
		code = read_flag(&out->disable_storage, v, "disableStorage", err);
	if (code == OK)
		code = read_flag(&out->enable_return_data, v, "enableReturnData", err);
	if (code != OK || !limit)
		return code;
	if (jval_kind(limit) != JVAL_INTEGER || jval_integer(limit) < 0)
		return ERR_SET(err, RPC_E_PARAMS, "want a number from 0 on for limit");
	out->limit = (uint64_t)jval_integer(limit);
	return OK;
}

static int read_call_options(struct rpc_trace_options *out, const struct jval *v, struct err *err)
{
	int code = read_flag(&out->only_top_call, v, "onlyTopCall", err);

	return code == OK ? read_flag(&out->with_log, v, "withLog", err) : code;
}

static int read_prestate_options(struct rpc_trace_options *out, const struct jval *v, struct err *err)
{
	int code = read_flag(&out->diff_mode, v, "diffMode", err);

	if (code == OK)
		code = read_flag(&out->disable_code, v, "disableCode", err);
	if (code == OK)
		code = read_flag(&out->disable_storage, v, "disableStorage", err);
	if (code == OK)
		code = read_flag(&out->include_empty, v, "includeEmpty", err);
	if (code == OK && out->diff_mode && out->include_empty)
		return ERR_SET(err, RPC_E_PARAMS, "cannot use diffMode with includeEmpty");
	return code;
}

static int read_own_options(struct rpc_trace_options *out, const struct jval *v, struct err *err)
{
	const struct jval *config = rpc_member(v, "tracerConfig");

	if (config && jval_kind(config) != JVAL_OBJECT)
		return ERR_SET(err, RPC_E_PARAMS, "want an object for tracerConfig");
	switch (out->kind) {
	case RPC_TRACE_STRUCT:
		return read_struct_options(out, v, err);
	case RPC_TRACE_CALL:
		return read_call_options(out, config, err);
	case RPC_TRACE_PRESTATE:
		return read_prestate_options(out, config, err);
	case RPC_TRACE_FOUR_BYTE:
	case RPC_TRACE_NOOP:
		return OK;
	}
	UNREACHABLE();
}

int rpc_read_trace_options(struct rpc_trace_options *out, const struct jval *v, struct err *err)
{
	int code;

	*out = (struct rpc_trace_options){ .timeout_ms = RPC_TRACE_TIMEOUT_MS };
	if (jval_kind(v) != JVAL_OBJECT)
		return ERR_SET(err, RPC_E_PARAMS, "want an object for trace options");
	code = read_tracer(out, v, err);
	if (code == OK)
		code = read_timeout(out, v, err);
	if (code == OK)
		code = read_own_options(out, v, err);
	return code;
}
