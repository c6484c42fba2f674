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
	/* found by libFuzzer: the few that cover most */
	"028000444444444444444444024646464646464646464646464686f2205f5f5f5f5f5f5f305af15060305b5f5f315af1"
	"1020015782100082114b203d",
	"02ffff103660005c3fa0604c385f5f3803f03f3f3d",
	"02ffff1036605d385f5f39345ff0503d5f3b5160015f521a205ffd",
	"015b2020600160025a5f8152060665650000ffffff545f5f5f305af15060203d6001015f5260205ffd",
	"02800044444444444444445f025f8644065f305af11020205f5f5f5f5f31135afa102001578282114b203d",
	"02ffff1036603d20406966690000717171715f32ff02f03f3d",
	"0237ff1036605d385f5f39345d385f5ff050353535353d355f355160015f503d5f5ff1f1f1f1f1f1f1f1f1f1f1f1f1f1"
	"f1f1f1f1f1f1fd",
	"007fff3d3d3d3d3df53d3d3d3d3d3d3d3d3d3d3d3d305af160103f5f575f5f5673aa3d3d3b3d3d3d3d3d3d3d3d305af1"
	"60105f5f57000050",
	"ffff205f5f5f5f5f5f305af15060203d435f5f325a3f5044474747474747474747474747474747474747474747474747"
	"4747444444444444a18f02",
	"02ffff10366000204069696900007171717171717171602036604060006000005e5f5ca040015f5d385f023ff05fff32"
	"3d",
	"02ffff1036605d385f5f39345d385f5ff050353135343d355f35515ffa5f503d5f5ff1f1f1f1f1f1f1f1f1f1f1f1f1f1"
	"f1f1f1f1f1f1fd",
	"020d006941ff",
	"01ffff205f5f5f5f5f5f305af15260203d435f5f325a1a5c5c5c3d50205f60a45060203d5d403a16161620",
	"015b2020607e6002015a5f5260205f516001015f151515151511155f526017151515156002015a5f205f0606ec06fd06",
	"007fff3d3d3d3d3d3d3d3d3d3d3d3c3d3d3d3d3da05f305af1550030e02de0e0e0424241f150",
	"0244444444444444444444444444444444444444445ca060015f03811457a060015f03811457605f5ca060015f038114"
	"57011503f0506055",
	"468f46465f46464646305af15036365f5ca002ffffb9203d01ff511060101010101210ff",
	"0031333333353538345f5f5f5f5f355af15060203d435f5f5f5f315af150602035601154313104020040141498300001"
	"010400",
	"02ffff305b6001801560575f5f8282828280821520605b6001100a5d38604e01335f5673aa8015000000",
	"ecffdf205f5f5f5f5f305af15460f43d435f5f315a503d91f1402027603001ffdf205f5f5f",
	"01ffff205f5f5f5f5f705af1505060202a3d5f3e5f515b01015f205f5f5f5f5f305af15060203001013e5f515b035260"
	"205ffd",
	"02ff305b600180156010575f33025f605f73015a20000882108202016057811520ff1557332633063306823308333360"
	"2002ff",
	"007fff10336001805560603306063131313131313131425500e0e0e0e0e0e0e0e0002042423e424241",
	"02ffff1136600060205b600180150a5d38600060205b600180150a5d375f5f39ff035f5f39ff03f0503d",
	"004000424242424230303031311b3d60424242424260011b01603d30011b3d6042313030421862016001090909094242"
	"00",
	"d1468f46465f46464646305af150363660101010101210ff",
	"01ffff205f5f5f5f48f548481048485f5f305af1390000eae9e9ec000000ffffffffffffffffffffffffffffffff00",
	"0178ff205f5f5f5f41305a5f5f5f5f45305af15060305b6001303030303030303030303030303006415f37f184115f30"
	"6f0020",
	"0040001860b680600160a0117a155750000000000010000008000006600a57fe5b8057005050905090500a00",
	"004000424242424230303031313130304218620160010909090989aa00000001",
	"028000444444444444444444020606205f5f050505055f5f5f301d161616f11020015782100082114b203d",
	"01ffff20605f5f305a4a60071b3a5a600a0a0a0a0a0a4a47ceff245f001600000000001007000016161623",
	"02801560325f5f474747474747474747471560325f5f4747474747475df0394747474760325f15475f4747474758f039"
	"bf0360325f",
	"028000444444444444444446464686f2205f440246464646464646464646464613131313131386f2205f5f5f5f5ffdff"
	"2d305b6031c7015a",
	"0123ff1e5f5f5f5f5f5f305af15260203d435f5f325a1a5c5c5c20014242821801424282181010f7ffffff516001015f"
	"1616000000003200",
	"fdff93305b60555f5f010556655f31bb55",
	"02ffff10366000604060005e5f5ca060366000604060005e5a5ca060013c3c3c000000023c3c3c3c3c3c3c003d",
	"020d0d6941",
	"02ffff305b6081333333414149494948494949493333494949320808089a",
	"01ff243c5f5f5f13443b3b065f5f200113821810",
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
