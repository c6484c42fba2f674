/*
 * Bytecode in two accounts that may call each other, run twice: decoded into blocks of
 * fused instructions, and one instruction at a time under a tracer. Both must come to
 * the same result, gas, output, storage and logs; and within a frame gas never rises,
 * but by what a call gives back.
 *
 * The input: revision, gas (2 bytes, in hundreds), the first code's size, codes.
 */
#include "fuzz.h"

#include "base/check.h"
#include "vm/world.h"

const char *const fuzz_seeds[] = {
	"02 ff ff 20 60016002015a5f5260205ff3",
	"02 ff ff 30 5b600180156010575f5f5f5f5f73aa0000000000000000000000000000000000000002620100 00f1005b00 5f355f55",
	"00 40 00 18 6001600160a01b0316600a57fe5b8015601557 5050 905090505b00",
	"01 ff ff 20 5f5f5f5f5f305af15060203d5f3e5f51600101 5f5260205ffd",
	"02 80 00 10 7f00000000000000000000000000000000000000000000000000000000000000ff19600052595f20",
	"02 ff ff 10 366000602037604060005e5f5ca060015f5d385f5f39385ff0503d",
	"02 20 00 08 821082115f1b8016821b5603811457811515576020016040525b",
	"", NULL,
};

struct watch {
	int64_t gas[VM_DEPTH_MAX + 1];
	uint32_t depth;
};

static void watch_enter(void *ctx, const struct vm_message *m, uint64_t gas_left)
{
	struct watch *w = ctx;

	(void)gas_left;
	w->depth = m->depth;
	w->gas[m->depth] = (int64_t)m->gas;
}

static void watch_step(void *ctx, const struct vm_step *s)
{
	struct watch *w = ctx;

	CHECK(s->gas_left >= 0 && s->stack_count <= VM_STACK_MAX);
	/* a call has come back: what it gives is at most what it was given */
	CHECK(s->gas_left <= w->gas[s->depth] + (s->depth < w->depth ? 2300 : 0));
	w->gas[s->depth] = s->gas_left;
	w->depth = s->depth;
}

struct outcome {
	struct vm_result result;
	struct world world;
};

/* A machine for all inputs of a revision, as in a node: what one run leaves, the next must
 * not see. (A new one for each costs milliseconds under AddressSanitizer.) */
static struct vm *machine(enum revision revision)
{
	static struct vm *machines[REVISION_OSAKA + 1];

	if (!machines[revision])
		machines[revision] = vm_new(revision, MIB, 1);
	return machines[revision];
}

static void run(struct outcome *o, enum revision revision, const struct vm_tracer *tracer,
		struct bytes first, struct bytes second, uint64_t gas)
{
	struct vm *vm = machine(revision);

	world_init(&o->world, vm, revision);
	vm_set_tracer(vm, tracer);
	world_account(&o->world, 1, first, 1000);
	world_account(&o->world, 2, second, 1000);
	CHECK(world_call(&o->world, 1, first, gas, &o->result));
	CHECK(o->world.snapshot_count == 0 && o->result.gas_left <= gas);
}

static void compare_slots(const struct world_slot *a, const struct world_slot *b)
{
	CHECK(addr_equal(&a->address, &b->address) && hash_equal(&a->slot, &b->slot));
	CHECK(u256_equal(&a->current, &b->current) && u256_equal(&a->original, &b->original));
	CHECK(u256_equal(&a->transient, &b->transient) && a->warm == b->warm);
}

static void compare(const struct outcome *a, const struct outcome *b)
{
	const struct world_state *x = &a->world.now, *y = &b->world.now;

	CHECK(a->result.status == b->result.status);
	CHECK(a->result.gas_left == b->result.gas_left);
	CHECK(a->result.gas_refund == b->result.gas_refund);
	CHECK(bytes_equal(buf_bytes(&a->result.output), buf_bytes(&b->result.output)));
	CHECK(x->slot_count == y->slot_count && x->log_size == y->log_size);
	for (size_t i = 0; i < x->slot_count; i++)
		compare_slots(&x->slots[i], &y->slots[i]);
	CHECK(memcmp(x->logs, y->logs, x->log_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t short_input[4];
	struct watch watch = { 0 };
	const struct vm_tracer tracer = { .ctx = &watch, .enter = watch_enter, .step = watch_step };
	struct outcome plain = { 0 }, traced = { 0 };
	const uint8_t *head = size >= 4 ? data : short_input;
	struct bytes rest = size > 4 ? bytes_of(data + 4, size - 4) : bytes_of(NULL, 0), second;
	uint64_t gas = 100ull * (head[1] << 8 | head[2]) / 16;
	size_t cut = MIN(rest.size, (size_t)head[3] * 4);

	second = bytes_of(rest.size ? rest.data + cut : NULL, rest.size - cut);
	rest.size = cut;
	run(&plain, head[0] % 3, NULL, rest, second, gas);
	run(&traced, head[0] % 3, &tracer, rest, second, gas);
	compare(&plain, &traced);
	buf_clear(&plain.result.output);
	buf_clear(&traced.result.output);
	world_clear(&plain.world);
	world_clear(&traced.world);
	return 0;
}
