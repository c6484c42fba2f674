/* Why a call failed: exactly with a tracer, and without one as far as it costs nothing. */
#include <criterion/criterion.h>

#include "base/check.h"
#include "vm/world.h"

static const struct vm_tracer nobody;

/* Runs `code` at address 1 and tells why it failed. */
static struct vm_reason reason_of(const struct vm_tracer *tracer, struct bytes code, uint64_t gas)
{
	struct vm *vm = vm_new(REVISION_OSAKA, MIB, 1);
	struct vm_result r = { 0 };
	struct world w;

	world_init(&w, vm, REVISION_OSAKA);
	world_account(&w, 1, code, 100);
	vm_set_tracer(vm, tracer);
	cr_assert(world_call(&w, 1, bytes_of(NULL, 0), gas, &r));
	buf_clear(&r.output);
	world_clear(&w);
	vm_free(vm);
	return r.reason;
}

#define CODE(text) { (const uint8_t *)(text), sizeof(text) - 1 }

static const struct {
	struct bytes code;
	uint64_t gas;
	const char *traced;
	enum vm_failure plain; /* without a tracer */
} cases[] = {
	{ CODE("\x60\x01\x00"), 100, "", VM_NOT_FAILED },
	{ CODE("\x5f\x5f\xfd"), 100, "", VM_NOT_FAILED },
	{ CODE("\x5b\x5f\x56"), 1000, "out of gas", VM_FAILED_GAS },
	{ CODE("\x60\x01"), 2, "out of gas", VM_FAILED_GAS },
	{ CODE("\x62\xff\xff\xff\x51"), 1000, "out of gas", VM_FAILED_GAS },
	{ CODE("\x62\xff\xff\xff\x5f\xf3"), 1000, "out of gas", VM_FAILED_GAS },
	{ CODE("\x5f\x5f\x5f\x5f\x5f\x60\x02\x5f\xf1"), 100, "out of gas", VM_FAILED_GAS },
	{ CODE("\x5f\x5f\x55"), 2304, "out of gas: not enough gas for reentrancy sentry", VM_FAILED_GAS },
	{ CODE("\xfe"), 100, "invalid opcode: INVALID", VM_FAILED_UNCLEAR },
	{ CODE("\x0c"), 100, "invalid opcode: opcode 0xc not defined", VM_FAILED_UNCLEAR },
	{ CODE("\x5f\xef"), 100, "invalid opcode: opcode 0xef not defined", VM_FAILED_UNCLEAR },
	{ CODE("\x5f\x01"), 100, "stack underflow (1 <=> 2)", VM_FAILED_UNCLEAR },
	{ CODE("\x5f\x90"), 100, "stack underflow (1 <=> 2)", VM_FAILED_UNCLEAR },
	{ CODE("\x5b\x5f\x5f\x56"), 100000, "stack limit reached 1024 (1023)", VM_FAILED_UNCLEAR },
	{ CODE("\x60\x05\x56"), 100, "invalid jump destination", VM_FAILED_UNCLEAR },
	{ CODE("\x60\x01\x60\x05\x57"), 100, "invalid jump destination", VM_FAILED_UNCLEAR },
	{ CODE("\x60\x01\x5f\x5f\x3e"), 100, "return data out of bounds", VM_FAILED_RETURN_DATA },
	/* creations that fail leave 0; here is what the outer frame says of itself */
	{ CODE("\x61\xc0\x01\x5f\x5f\xf0"), 100000, "max initcode size exceeded",
	  VM_FAILED_INITCODE_SIZE },
};

Test(vm_reason, is_exact_with_a_tracer)
{
	char text[VM_REASON_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct vm_reason reason = reason_of(&nobody, cases[i].code, cases[i].gas);

		cr_expect_str_eq(vm_reason_text(text, &reason), cases[i].traced, "case %zu: %s", i, text);
	}
}

Test(vm_reason, is_told_without_one_where_it_is_free)
{
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct vm_reason reason = reason_of(NULL, cases[i].code, cases[i].gas);

		cr_expect_eq(reason.kind, cases[i].plain, "case %zu: %d", i, reason.kind);
	}
}

struct seen {
	const struct vm *vm;
	enum vm_failure kinds[8];
	size_t count;
};

static void note(void *ctx, const struct vm_message *m, enum vm_status status, uint64_t gas_left,
		 struct bytes output)
{
	struct seen *s = ctx;

	(void)m;
	(void)gas_left;
	(void)output;
	cr_assert_lt(s->count, ARRAY_COUNT(s->kinds));
	s->kinds[s->count++] = status == VM_FAILURE ? vm_reason(s->vm)->kind : VM_NOT_FAILED;
}

/* Address 1 calls 2 statically, which writes, and goes on by itself. */
Test(vm_reason, belongs_to_the_frame_that_failed)
{
	struct seen seen = { 0 };
	const struct vm_tracer tracer = { .ctx = &seen, .leave = note };
	struct vm *vm = vm_new(REVISION_OSAKA, MIB, 1);
	struct vm_result r = { 0 };
	struct world w;

	seen.vm = vm;
	world_init(&w, vm, REVISION_OSAKA);
	for (int i = 0; i < 3; i++) {
		vm_set_tracer(vm, i == 1 ? NULL : &tracer);
		/* fresh: what is decoded outside the cache is of one sort */
		world_account(&w, 1, bytes_of("\x5f\x5f\x5f\x5f\x30\x60\x01\x01\x61\xff\xff\xfa\x50\x00", 14), 0);
		world_account(&w, 2, bytes_of("\x5f\x5f\x55", 3), 0);
		cr_assert(world_call(&w, 1, bytes_of(NULL, 0), 1000000, &r));
		cr_assert_eq(r.status, VM_SUCCESS);
		cr_assert_eq(r.reason.kind, VM_NOT_FAILED);
		buf_clear(&r.output);
	}
	cr_assert_eq(seen.count, 4);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(seen.kinds[i], i % 2 ? VM_NOT_FAILED : VM_FAILED_STATIC, "%zu: %d", i, seen.kinds[i]);
	world_clear(&w);
	vm_free(vm);
}

Test(vm_reason, every_kind_has_words)
{
	char text[VM_REASON_TEXT_MAX];

	for (int kind = VM_FAILED_UNCLEAR; kind <= VM_FAILED_NONCE; kind++) {
		struct vm_reason reason = { .kind = (enum vm_failure)kind, .opcode = 0xff,
					    .have = UINT32_MAX, .limit = UINT32_MAX };

		cr_expect_gt(strlen(vm_reason_text(text, &reason)), 5);
	}
}
