/*
 * callTracer: the calls of a transaction as a tree, with their logs if asked for.
 *
 * Calls are kept in the order of their beginnings, each with its depth, which is the tree;
 * their bytes lie in one buffer. It is written without recursion: a call that begins at a
 * depth ends those that are open there and below.
 */
#include "rpc/trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "rpc/forms.h"
#include "rpc/revert.h"

/* What an empty call and an empty log are in JSON, at least. */
#define CALL_SIZE 220
#define LOG_SIZE 160

#define NO_LOG SIZE_MAX

/* Bytes in the tracer's buffer. */
struct part {
	size_t at, size;
};

struct call_record {
	const char *type;
	uint32_t depth;
	struct addr from, to;
	bool has_to, has_value, failed;
	struct wei value;
	uint64_t gas, gas_used;
	struct part input, output;
	char error[VM_REASON_TEXT_MAX]; /* empty: none */
	bool reverted;                  /* output tells why */
	size_t child_count;
	size_t first_log, last_log;
};

struct log_record {
	struct addr address;
	struct hash topics[LOG_TOPIC_MAX];
	size_t topic_count;
	struct part data;
	size_t index;                /* within the block */
	size_t position;             /* how many calls were before it in its frame */
	size_t next;                 /* of the same frame */
};

struct call_trace {
	struct trace base;
	struct call_record *calls;
	size_t count, capacity;
	struct log_record *logs;
	size_t log_count, log_capacity;
	size_t log_index;            /* logs that stand, now */
	struct buf bytes;
	/* By depth: the call that is open there, and the logs that stood when it began. */
	size_t open[VM_DEPTH_MAX + 2], log_marks[VM_DEPTH_MAX + 2];
	uint32_t depth;              /* of the call that runs */
	char error[VM_REASON_TEXT_MAX]; /* of the failure under way */
	size_t size;                 /* of the reply, at least */
};

/* --- keeping --- */

/* Whether so much more may be kept. */
static bool grow(struct call_trace *t, size_t size)
{
	t->size += size;
	return trace_room(&t->base, t->size);
}

static struct part keep(struct call_trace *t, struct bytes data)
{
	struct part p = { t->bytes.size, data.size };

	if (data.size && grow(t, 2 * data.size))
		buf_append_bytes(&t->bytes, data);
	else
		p.size = 0;
	return p;
}

/* A new call below the one of the depth above its own, or NULL. */
static struct call_record *add(struct call_trace *t, const char *type, uint32_t depth)
{
	struct call_record *c;

	if (!grow(t, CALL_SIZE))
		return NULL;
	if (t->count == t->capacity) {
		t->capacity = MAX(2 * t->capacity, (size_t)16);
		t->calls = xrealloc(t->calls, t->capacity * sizeof(*t->calls));
	}
	if (depth)
		t->calls[t->open[depth - 1]].child_count++;
	c = &t->calls[t->count++];
	*c = (struct call_record){ .type = type, .depth = depth, .first_log = NO_LOG, .last_log = NO_LOG };
	return c;
}

static bool leaves_out(const struct call_trace *t, uint32_t depth)
{
	return t->base.options->only_top_call && depth > 0;
}

static void call_enter(struct trace *base, const struct vm_message *m, uint64_t gas_left)
{
	struct call_trace *t = (struct call_trace *)base;
	bool is_here = m->kind == VM_DELEGATECALL;
	struct call_record *c;

	(void)gas_left;
	t->depth = m->depth;
	t->error[0] = '\0';
	t->log_marks[m->depth] = t->log_index;
	if (leaves_out(t, m->depth))
		return;
	c = add(t, trace_kind_name(m->kind), m->depth);
	if (!c)
		return;
	t->open[m->depth] = t->count - 1;
	c->from = is_here ? m->recipient : m->sender;
	c->to = trace_callee(base, m);
	c->has_to = true;
	c->has_value = m->kind != VM_STATICCALL;
	c->value = m->value;
	c->gas = m->gas;
	c->input = keep(t, m->input);
}

static void call_fail(struct trace *base, const struct vm_reason *reason, uint64_t cost_gas)
{
	struct call_trace *t = (struct call_trace *)base;

	(void)cost_gas;
	vm_reason_text(t->error, reason);
}

static void call_leave(struct trace *base, const struct vm_message *m, enum vm_status status,
		       uint64_t gas_left, struct bytes output)
{
	struct call_trace *t = (struct call_trace *)base;
	struct call_record *c = &t->calls[t->open[m->depth]];

	t->depth = m->depth ? m->depth - 1 : 0;
	if (status != VM_SUCCESS)
		t->log_index = t->log_marks[m->depth];
	if (leaves_out(t, m->depth))
		return;
	c->gas_used = m->gas - gas_left;
	c->failed = status != VM_SUCCESS;
	c->reverted = status == VM_REVERT && !t->error[0];
	if (vm_is_creation(m->kind))
		c->to = m->recipient;
	if (c->failed) {
		memcpy(c->error, t->error, sizeof(c->error));
		if (c->reverted)
			snprintf(c->error, sizeof(c->error), "execution reverted");
		c->has_to &= !vm_is_creation(m->kind);
	}
	t->error[0] = '\0';
	if (!c->failed || c->reverted)
		c->output = keep(t, output);
}

static void call_self_destruct(struct trace *base, const struct addr *address, const struct addr *heir,
			       struct wei balance)
{
	struct call_trace *t = (struct call_trace *)base;
	struct call_record *c = base->options->only_top_call ? NULL : add(t, "SELFDESTRUCT", t->depth + 1);

	if (!c)
		return;
	c->from = *address;
	c->to = *heir;
	c->has_to = c->has_value = true;
	c->value = balance;
}

static void call_log(struct trace *base, const struct addr *address, const struct hash topics[],
		     size_t topic_count, struct bytes data)
{
	struct call_trace *t = (struct call_trace *)base;
	size_t index = t->log_index++;
	struct call_record *c;
	struct log_record *l;

	if (!base->options->with_log || leaves_out(t, t->depth) || !grow(t, LOG_SIZE + topic_count * 69))
		return;
	if (t->log_count == t->log_capacity) {
		t->log_capacity = MAX(2 * t->log_capacity, (size_t)16);
		t->logs = xrealloc(t->logs, t->log_capacity * sizeof(*t->logs));
	}
	c = &t->calls[t->open[t->depth]];
	l = &t->logs[t->log_count];
	*l = (struct log_record){ .address = *address, .topic_count = topic_count, .index = index,
				  .position = c->child_count, .next = NO_LOG };
	if (topic_count)
		memcpy(l->topics, topics, topic_count * sizeof(topics[0]));
	l->data = keep(t, data);
	if (c->first_log == NO_LOG)
		c->first_log = t->log_count;
	else
		t->logs[c->last_log].next = t->log_count;
	c->last_log = t->log_count++;
}

/* --- writing --- */

static struct bytes part_of(const struct call_trace *t, struct part p)
{
	return p.size ? bytes_of(t->bytes.data + p.at, p.size) : bytes_of(NULL, 0);
}

static void put_log(const struct call_trace *t, struct jout *j, const struct log_record *l)
{
	jout_object(j);
	form_key_addr(j, "address", &l->address);
	jout_key(j, "topics");
	jout_array(j);
	for (size_t i = 0; i < l->topic_count; i++)
		form_hash(j, &l->topics[i]);
	jout_array_end(j);
	form_key_data(j, "data", part_of(t, l->data));
	form_key_quantity(j, "index", l->index);
	form_key_quantity(j, "position", l->position);
	jout_object_end(j);
}

/* `{` and the members before `calls`, each with the comma that it needs. */
static void put_head(const struct call_trace *t, struct buf *out, const struct call_record *c)
{
	char reason[REVERT_REASON_MAX];
	struct jout j;

	jout_init(&j, out);
	jout_object(&j);
	form_key_addr(&j, "from", &c->from);
	form_key_quantity(&j, "gas", c->gas);
	form_key_quantity(&j, "gasUsed", c->gas_used);
	if (c->has_to)
		form_key_addr(&j, "to", &c->to);
	form_key_data(&j, "input", part_of(t, c->input));
	if (c->output.size)
		form_key_data(&j, "output", part_of(t, c->output));
	if (c->error[0]) {
		jout_key(&j, "error");
		jout_str(&j, c->error);
	}
	if (c->reverted && revert_reason(reason, part_of(t, c->output))) {
		jout_key(&j, "revertReason");
		jout_str(&j, reason);
	}
	if (c->child_count)
		buf_append_bytes(out, bytes_of_str(",\"calls\":["));
}

/* The members behind `calls`, and `}`. Logs that a failure took back are left out. */
static void put_tail(const struct call_trace *t, struct buf *out, const struct call_record *c,
		     bool logs_stand)
{
	struct jout j;

	if (c->child_count)
		buf_append_byte(out, ']');
	if (c->first_log != NO_LOG && logs_stand) {
		buf_append_bytes(out, bytes_of_str(",\"logs\":"));
		jout_init(&j, out);
		jout_array(&j);
		for (size_t i = c->first_log; i != NO_LOG; i = t->logs[i].next)
			put_log(t, &j, &t->logs[i]);
		jout_array_end(&j);
	}
	if (c->has_value) {
		buf_append_bytes(out, bytes_of_str(",\"value\":"));
		jout_init(&j, out);
		form_wei(&j, c->value);
	}
	buf_append_bytes(out, bytes_of_str(",\"type\":\""));
	buf_append_bytes(out, bytes_of_str(c->type));
	buf_append_bytes(out, bytes_of_str("\"}"));
}

static void put_tree(const struct call_trace *t, struct buf *out)
{
	size_t open[VM_DEPTH_MAX + 3];
	bool stand[VM_DEPTH_MAX + 3]; /* no call up to this one has failed */
	size_t depth = 0;             /* calls that are open */

	for (size_t i = 0; i < t->count; i++) {
		const struct call_record *c = &t->calls[i];
		bool is_sibling = depth > c->depth;

		while (depth > c->depth) {
			depth--;
			put_tail(t, out, &t->calls[open[depth]], stand[depth]);
		}
		if (is_sibling)
			buf_append_byte(out, ',');
		put_head(t, out, c);
		open[depth] = i;
		stand[depth] = !c->failed && (depth == 0 || stand[depth - 1]);
		depth++;
	}
	while (depth-- > 0)
		put_tail(t, out, &t->calls[open[depth]], stand[depth]);
}

static void call_begin(struct trace *base)
{
	struct call_trace *t = (struct call_trace *)base;

	t->count = t->log_count = t->size = 0;
	t->log_index = base->run->first_log_index;
	t->depth = 0;
	buf_reset(&t->bytes);
}

static void call_end(struct trace *base, uint64_t gas_limit, uint64_t gas_used)
{
	struct call_trace *t = (struct call_trace *)base;
	struct buf text = { 0 };

	CHECK(t->count > 0);
	t->calls[0].gas = gas_limit;
	t->calls[0].gas_used = gas_used;
	put_tree(t, &text);
	jout_raw(base->out, buf_bytes(&text));
	buf_clear(&text);
}

static void call_clear(struct trace *base)
{
	struct call_trace *t = (struct call_trace *)base;

	free(t->calls);
	free(t->logs);
	buf_clear(&t->bytes);
}

const struct trace_ops trace_call_ops = {
	.size = sizeof(struct call_trace),
	.begin = call_begin,
	.end = call_end,
	.clear = call_clear,
	.enter = call_enter,
	.fail = call_fail,
	.leave = call_leave,
	.log = call_log,
	.self_destruct = call_self_destruct,
};
