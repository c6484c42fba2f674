#include "app/trace3155.h"

#include <inttypes.h>

#include "codec/hex.h"

static void put_word(struct buf *out, const struct u256 *w)
{
	int i = 3;

	while (i > 0 && w->limbs[i] == 0)
		i--;
	buf_printf(out, "\"0x%" PRIx64, w->limbs[i]);
	while (--i >= 0)
		buf_printf(out, "%016" PRIx64, w->limbs[i]);
	buf_printf(out, "\"");
}

static void put_data(struct buf *out, struct bytes data)
{
	for (size_t i = 0; i < data.size; i++)
		buf_printf(out, "%02x", data.data[i]);
}

/* Writes the line that waits: it cost what is gone since. */
static void flush(struct trace3155 *t, int64_t gas_now)
{
	if (!t->pending)
		return;
	t->pending = false;
	fprintf(t->out, "%.*s0x%" PRIx64 "%.*s\n", (int)t->head.size, (const char *)t->head.data,
		(uint64_t)(t->gas - gas_now), (int)t->tail.size, (const char *)t->tail.data);
}

static void do_step(void *ctx, const struct vm_step *s)
{
	struct trace3155 *t = ctx;
	const char *name = vm_opcodes[s->opcode].name;

	flush(t, s->gas_left);
	buf_reset(&t->head);
	buf_reset(&t->tail);
	buf_printf(&t->head, "{\"pc\":%" PRIu64 ",\"op\":%u,\"gas\":\"0x%" PRIx64 "\",\"gasCost\":\"",
		   s->pc, s->opcode, (uint64_t)s->gas_left);
	buf_printf(&t->tail, "\",\"memSize\":%zu,\"stack\":[", s->memory.size);
	for (size_t i = 0; i < s->stack_count; i++) {
		if (i)
			buf_append_byte(&t->tail, ',');
		put_word(&t->tail, &s->stack[i]);
	}
	buf_printf(&t->tail, "],\"depth\":%" PRIu32 ",\"refund\":%" PRId64 ",\"opName\":\"%s\"}",
		   s->depth + 1, s->refund, name ? name : "INVALID");
	t->gas = s->gas_left;
	t->depth = s->depth;
	t->pending = true;
}

static void do_enter(void *ctx, const struct vm_message *m, uint64_t gas_left)
{
	struct trace3155 *t = ctx;

	/* a creation's price is without the gas that it passes on */
	flush(t, (int64_t)(gas_left + (vm_is_creation(m->kind) ? m->gas : 0)));
}

static void do_leave(void *ctx, const struct vm_message *m, enum vm_status status, uint64_t gas_left,
		     struct bytes output)
{
	struct trace3155 *t = ctx;

	flush(t, status == VM_FAILURE ? 0 : (int64_t)gas_left);
	if (m->depth == 0) {
		buf_reset(&t->output);
		put_data(&t->output, output);
	}
}

void trace3155_init(struct trace3155 *t, FILE *out)
{
	*t = (struct trace3155){ .out = out };
	t->tracer = (struct vm_tracer){ .ctx = t, .enter = do_enter, .step = do_step,
					.leave = do_leave };
}

void trace3155_end(struct trace3155 *t, const struct hash *root, const struct receipt *receipt)
{
	char text[HEX_HASH_SIZE];

	fprintf(t->out, "{\"stateRoot\":\"%s\",\"output\":\"0x%.*s\",\"gasUsed\":\"0x%" PRIx64
			"\",\"pass\":%s}\n",
		hex_data(text, hash_bytes(root)), (int)t->output.size,
		t->output.size ? (const char *)t->output.data : "", receipt->gas_used,
		receipt->success ? "true" : "false");
	buf_clear(&t->head);
	buf_clear(&t->tail);
	buf_clear(&t->output);
}
