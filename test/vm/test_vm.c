/* The machine, asked through a host of a few accounts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vm/world.h"

struct fixture {
	struct vm *vm;
	struct world w;
	struct vm_result r;
};

static void setup(struct fixture *f, enum revision revision)
{
	f->vm = vm_new(revision, MIB, 1);
	world_init(&f->w, f->vm, revision);
	f->r = (struct vm_result){ 0 };
}

static void teardown(struct fixture *f)
{
	buf_clear(&f->r.output);
	world_clear(&f->w);
	vm_free(f->vm);
}

/* Runs code, given as the bytes of a string, from a fresh result. */
#define RUN(f, code, gas) run(f, bytes_of(code, sizeof(code) - 1), gas)

static enum vm_status run(struct fixture *f, struct bytes code, uint64_t gas)
{
	world_account(&f->w, 1, code, 100);
	buf_clear(&f->r.output);
	cr_assert(world_call(&f->w, 1, bytes_of(NULL, 0), gas, &f->r));
	return f->r.status;
}

static uint64_t output(const struct fixture *f)
{
	cr_assert_eq(f->r.output.size, 32);
	return load_be64(f->r.output.data + 24);
}

/* MSTORE at 0 and RETURN of the topmost word. */
#define GIVE "\x5f\x52\x60\x20\x5f\xf3"

Test(vm, gas_is_exact_within_blocks)
{
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	/* PUSH1 PUSH1 ADD (9, whatever they are run as), GAS (2) */
	cr_assert_eq(RUN(&f, "\x60\x01\x60\x02\x01\x5a" GIVE, 1000), VM_SUCCESS);
	cr_assert_eq(output(&f), 1000 - 11);
	/* + PUSH0 MSTORE(3 + 3) PUSH1 PUSH0 */
	cr_assert_eq(f.r.gas_left, 1000 - 11 - 2 - 6 - 3 - 2);
	cr_assert_eq(RUN(&f, "\x60\x01\x60\x02\x01\x5a" GIVE, 24), VM_SUCCESS);
	cr_assert_eq(f.r.gas_left, 0);
	cr_assert_eq(RUN(&f, "\x60\x01\x60\x02\x01\x5a" GIVE, 23), VM_FAILURE);
	cr_assert_eq(f.r.gas_left, 0);
	teardown(&f);
}

Test(vm, jumps_lead_to_jumpdests_only)
{
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	/* over an INVALID; constant and computed */
	cr_assert_eq(RUN(&f, "\x60\x04\x56\xfe\x5b\x60\x07" GIVE, 1000), VM_SUCCESS);
	cr_assert_eq(output(&f), 7);
	cr_assert_eq(RUN(&f, "\x60\x03\x80\x01\x56\xfe\x5b\x60\x08" GIVE, 1000), VM_SUCCESS);
	cr_assert_eq(output(&f), 8);
	/* into PUSH's data, where 0x5b is no instruction; beyond the end; to no JUMPDEST */
	cr_assert_eq(RUN(&f, "\x60\x04\x56\x60\x5b\x00", 1000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x60\x30\x56\x5b", 1000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x60\x03\x56\x00", 1000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x5f\x19\x56\x00", 1000), VM_FAILURE);
	/* a jump that is not taken may lead nowhere */
	cr_assert_eq(RUN(&f, "\x5f\x60\x30\x57\x60\x09" GIVE, 1000), VM_SUCCESS);
	cr_assert_eq(RUN(&f, "\x60\x01\x60\x30\x57\x60\x09" GIVE, 1000), VM_FAILURE);
	teardown(&f);
}

Test(vm, jumps_to_jumps_cost_each_of_them)
{
	/* 0: to 7; 3: to 11; 7: to 3; 11: gas */
	static const char chain[] = "\x60\x07\x56\x5b\x60\x0b\x56\x5b\x60\x03\x56\x5b\x5a" GIVE;
	const uint64_t jumps = 3 * (3 + 8) + 2 + 1; /* JUMPDESTs: two on the way, one there */
	struct buf code = { 0 };
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	cr_assert_eq(RUN(&f, chain, 1000), VM_SUCCESS);
	cr_assert_eq(output(&f), 1000 - jumps - 2);
	cr_assert_eq(f.r.gas_left, 1000 - jumps - 2 - 13);
	cr_assert_eq(RUN(&f, chain, jumps + 2 + 13), VM_SUCCESS);
	cr_assert_eq(f.r.gas_left, 0);
	cr_assert_eq(RUN(&f, chain, jumps + 2 + 12), VM_FAILURE);
	/* a ring, of one block and of two: gas ends it */
	cr_assert_eq(RUN(&f, "\x5b\x5f\x56", 100000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x5b\x60\x04\x56\x5b\x5f\x56", 100000), VM_FAILURE);
	/* nowhere in the end */
	cr_assert_eq(RUN(&f, "\x60\x03\x56\x5b\x60\x40\x56", 100000), VM_FAILURE);
	/* more of them than one block takes on, each to the next: 5 bytes, 12 gas */
	for (size_t i = 0; i < 100; i++) {
		uint16_t next = (uint16_t)(5 * (i + 1));

		buf_append_byte(&code, 0x5b);
		buf_append_byte(&code, 0x61);
		buf_append_byte(&code, (uint8_t)(next >> 8));
		buf_append_byte(&code, (uint8_t)next);
		buf_append_byte(&code, 0x56);
	}
	buf_append_byte(&code, 0x5b);
	cr_assert_eq(run(&f, buf_bytes(&code), 1201), VM_SUCCESS);
	cr_assert_eq(f.r.gas_left, 0);
	cr_assert_eq(run(&f, buf_bytes(&code), 1200), VM_FAILURE);
	/* with a full stack there is no room for the first constant */
	buf_reset(&code);
	memset(buf_extend(&code, 1023), 0x5f, 1023);
	buf_append(&code, "\x61\x04\x03\x56\x5b\x61\x04\x08\x56\x5b", 10);
	cr_assert_eq(run(&f, buf_bytes(&code), 10000), VM_SUCCESS);
	buf_reset(&code);
	memset(buf_extend(&code, 1024), 0x5f, 1024);
	buf_append(&code, "\x61\x04\x04\x56\x5b\x61\x04\x09\x56\x5b", 10);
	cr_assert_eq(run(&f, buf_bytes(&code), 10000), VM_FAILURE);
	buf_clear(&code);
	teardown(&f);
}

Test(vm, stack_has_its_bounds)
{
	struct fixture f;
	struct buf code = { 0 };

	setup(&f, REVISION_OSAKA);
	cr_assert_eq(RUN(&f, "\x01", 1000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x5f\x01", 1000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x5f\x50\x50", 1000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x5f\x81", 1000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x5f\x90", 1000), VM_FAILURE);
	memset(buf_extend(&code, 1024), 0x5f, 1024);
	cr_assert_eq(run(&f, buf_bytes(&code), 10000), VM_SUCCESS);
	buf_append_byte(&code, 0x5f);
	cr_assert_eq(run(&f, buf_bytes(&code), 10000), VM_FAILURE);
	/* a word at a time, in a loop */
	cr_assert_eq(RUN(&f, "\x5b\x5f\x5f\x56", 100000), VM_FAILURE);
	buf_clear(&code);
	teardown(&f);
}

Test(vm, revisions_have_their_instructions)
{
	struct fixture f;

	for (enum revision revision = REVISION_CANCUN; revision <= REVISION_OSAKA; revision++) {
		setup(&f, revision);
		cr_assert_eq(RUN(&f, "\x60\x01\x1e" GIVE, 1000), /* CLZ, EIP-7939 */
			     revision == REVISION_OSAKA ? VM_SUCCESS : VM_FAILURE);
		if (revision == REVISION_OSAKA)
			cr_assert_eq(output(&f), 255);
		cr_assert_eq(RUN(&f, "\x0c", 1000), VM_FAILURE);
		teardown(&f);
	}
}

/* EIP-7939's own cases; 5 gas. */
Test(vm, clz_counts_leading_zeros)
{
	static const struct {
		const char *code;
		size_t size;
		uint64_t zeros;
	} rows[] = {
#define ROW(push, zeros) { push "\x1e" GIVE, sizeof(push "\x1e" GIVE) - 1, zeros }
		ROW("\x5f", 256),
		ROW("\x60\x80\x60\xf8\x1b", 0), /* 0x80 << 248 */
		ROW("\x5f\x19", 0),
		ROW("\x60\x40\x60\xf8\x1b", 1),
		ROW("\x5f\x19\x60\x01\x1c", 1), /* all ones >> 1 */
		ROW("\x60\x01", 255),
#undef ROW
	};
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cr_assert_eq(run(&f, bytes_of(rows[i].code, rows[i].size), 1000), VM_SUCCESS);
		cr_assert_eq(output(&f), rows[i].zeros, "row %zu", i);
	}
	cr_assert_eq(RUN(&f, "\x5f\x1e\x00", 7), VM_SUCCESS);
	cr_assert_eq(RUN(&f, "\x5f\x1e\x00", 6), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x1e", 1000), VM_FAILURE); /* nothing to count in */
	teardown(&f);
}

Test(vm, memory_costs_and_has_an_end)
{
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	/* MLOAD at 2^256 - 1, at 2^64, at 2^40 */
	cr_assert_eq(RUN(&f, "\x5f\x19\x51", 1ull << 62), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x68\x01\0\0\0\0\0\0\0\0\x51", 1ull << 62), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x65\x01\0\0\0\0\0\x51", 1ull << 62), VM_FAILURE);
	/* MSIZE after a byte at 31 and at 32; 3 + 3·words + words²/512 */
	cr_assert_eq(RUN(&f, "\x5f\x60\x1f\x53\x59" GIVE, 1000), VM_SUCCESS);
	cr_assert_eq(output(&f), 32);
	cr_assert_eq(RUN(&f, "\x5f\x60\x20\x53\x59" GIVE, 1000), VM_SUCCESS);
	cr_assert_eq(output(&f), 64);
	cr_assert_eq(RUN(&f, "\x61\x7f\xe0\x51\x00", 5120 + 6), VM_SUCCESS); /* 1024 words */
	cr_assert_eq(RUN(&f, "\x61\x7f\xe0\x51\x00", 5120 + 5), VM_FAILURE);
	/* what was there in an earlier frame is zero */
	cr_assert_eq(RUN(&f, "\x5f\x19\x60\x40\x52\x00", 1000), VM_SUCCESS);
	cr_assert_eq(RUN(&f, "\x60\x40\x51" GIVE, 1000), VM_SUCCESS);
	cr_assert_eq(output(&f), 0);
	/* no bytes, anywhere, are free: RETURN of 0 at 2^256 - 1 */
	cr_assert_eq(RUN(&f, "\x5f\x5f\x19\xf3", 1000), VM_SUCCESS);
	cr_assert_eq(f.r.gas_left, 1000 - 7);
	/* EIP-211: beyond the return data */
	cr_assert_eq(RUN(&f, "\x60\x01\x5f\x5f\x3e", 1000), VM_FAILURE);
	teardown(&f);
}

struct counter {
	uint32_t deepest;
	uint64_t calls, steps, step_count_max;
	size_t fail_count;
	struct vm_reason reason;     /* of the last failure */
	uint64_t cost_gas;
};

static void count_enter(void *ctx, const struct vm_message *m, uint64_t gas_left)
{
	struct counter *c = ctx;

	(void)gas_left;
	c->deepest = MAX(c->deepest, m->depth);
	c->calls++;
}

static void count_step(void *ctx, const struct vm_step *step)
{
	struct counter *c = ctx;

	(void)step;
	c->steps++;
}

static bool count_is_over(void *ctx)
{
	const struct counter *c = ctx;

	return c->steps >= c->step_count_max;
}

static void count_fail(void *ctx, const struct vm_reason *reason, uint64_t cost_gas)
{
	struct counter *c = ctx;

	c->reason = *reason;
	c->cost_gas = cost_gas;
	c->fail_count++;
}

/* Calls itself with all gas: PUSH0 ×5, ADDRESS, GAS, CALL. */
#define CALL_ITSELF "\x5f\x5f\x5f\x5f\x5f\x30\x5a\xf1"

Test(vm, calls_go_1024_deep)
{
	struct counter c = { 0 };
	const struct vm_tracer tracer = { .ctx = &c, .enter = count_enter, .fail = count_fail };
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	cr_assert_eq(RUN(&f, CALL_ITSELF GIVE, 1ull << 60), VM_SUCCESS);
	cr_assert_eq(output(&f), 1);
	vm_set_tracer(f.vm, &tracer);
	cr_assert_eq(RUN(&f, CALL_ITSELF GIVE, 1ull << 60), VM_SUCCESS);
	cr_assert_eq(c.deepest, 1025); /* told, and refused */
	cr_assert_eq(c.calls, 1026);
	cr_assert_eq(c.fail_count, 1);
	cr_assert_eq(c.reason.kind, VM_FAILED_DEPTH);
	vm_set_tracer(f.vm, NULL);
	teardown(&f);
}

/* Kilobytes that this process has in memory. */
static long resident_kilobytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long all, resident = 0;

	if (f && fscanf(f, "%ld %ld", &all, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* 1024 frames with 1000 words on each stack and a kilobyte of memory: what the machine takes
 * stays, so what is there afterwards is what it took at most. */
Test(vm, deepest_calls_take_less_than_64_mib)
{
	static const uint8_t touch[] = { 0x5f, 0x61, 0x03, 0xe0, 0x52 }; /* MSTORE at 992 */
	struct buf code = { 0 };
	struct fixture f;
	long before, after;

	memset(buf_extend(&code, 1000), 0x5f, 1000);
	buf_append(&code, touch, sizeof(touch));
	buf_append(&code, CALL_ITSELF, sizeof(CALL_ITSELF) - 1);
	setup(&f, REVISION_OSAKA);
	before = resident_kilobytes();
	cr_assert_eq(run(&f, buf_bytes(&code), 1ull << 60), VM_SUCCESS);
	after = resident_kilobytes();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	cr_assert_lt(after - before, 64 * 1024);
	cr_assert_gt(after - before, 30 * 1024); /* the stacks alone: it did go so deep */
#endif
	(void)before;
	(void)after;
	buf_clear(&code);
	teardown(&f);
}

/* --- bad input --- */

Test(vm, endless_loops_end_with_their_gas)
{
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	cr_assert_eq(RUN(&f, "\x5b\x5f\x56", 10000000), VM_FAILURE);
	cr_assert_eq(f.r.gas_left, 0);
	/* two blocks that jump to each other, on a condition */
	cr_assert_eq(RUN(&f, "\x5b\x60\x06\x56\x00\x00\x5b\x60\x01\x5f\x57", 10000000), VM_FAILURE);
	cr_assert_eq(f.r.gas_left, 0);
	/* one that calls itself and, when that comes back, again: 63 of 64 parts each time */
	cr_assert_eq(RUN(&f, "\x5b" CALL_ITSELF "\x50\x5f\x56", 3000000), VM_FAILURE);
	cr_assert_eq(f.r.gas_left, 0);
	teardown(&f);
}

/* What is given back costs memory where it is made and where it is copied to. */
Test(vm, huge_return_data_is_paid_for)
{
	/* 3 words: PUSH0, the code's 5 gas; 2^20 bytes are 32768 words: 3 each, and 2^30/512 */
	const uint64_t megabyte = 3 * 32768 + 32768ull * 32768 / 512;
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	/* RETURN and REVERT of 1 MiB, exactly paid and not */
	cr_assert_eq(RUN(&f, "\x62\x10\x00\x00\x5f\xf3", megabyte + 5), VM_SUCCESS);
	cr_assert_eq(f.r.gas_left, 0);
	cr_assert_eq(f.r.output.size, 1 << 20);
	cr_assert_eq(RUN(&f, "\x62\x10\x00\x00\x5f\xf3", megabyte + 4), VM_FAILURE);
	cr_assert_eq(f.r.output.size, 0);
	cr_assert_eq(RUN(&f, "\x62\x10\x00\x00\x5f\xfd", megabyte + 5), VM_REVERT);
	cr_assert_eq(f.r.output.size, 1 << 20);
	/* 2^64 - 1, 2^64 and 2^256 - 1 bytes */
	cr_assert_eq(RUN(&f, "\x67\xff\xff\xff\xff\xff\xff\xff\xff\x5f\xf3", 1ull << 62), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x68\x01\0\0\0\0\0\0\0\0\x5f\xf3", 1ull << 62), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x5f\x19\x5f\xfd", 1ull << 62), VM_FAILURE);
	/* a place for the answer of a call that is too large for any gas */
	cr_assert_eq(RUN(&f, "\x5f\x19\x5f\x5f\x5f\x5f\x5f\x5a\xf1", 1ull << 62), VM_FAILURE);
	/* from the return data: a sum beyond 2^64, a start beyond the end, nothing at the end */
	cr_assert_eq(RUN(&f, "\x60\x02\x67\xff\xff\xff\xff\xff\xff\xff\xff\x5f\x3e", 1000000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x5f\x60\x01\x5f\x3e", 1000000), VM_FAILURE);
	cr_assert_eq(RUN(&f, "\x5f\x5f\x5f\x3e", 1000000), VM_SUCCESS);
	teardown(&f);
}

#define FAILING(code, gas, cost) { { (const uint8_t *)(code), sizeof(code) - 1 }, gas, cost }

/* What a step that failed wanted: its base, and all that was reckoned before it ran dry. */
Test(vm, tracer_hears_what_a_failed_step_wanted)
{
	static const struct {
		struct bytes code;
		uint64_t gas, cost_gas;
	} cases[] = {
		FAILING("\x01", 100, 3),
		FAILING("\x0c", 100, 0),
		FAILING("\xfe", 100, 0),
		FAILING("\x60\x01\x60\x01\x01", 8, 3),
		FAILING("\x60\x01\x56", 100, 8),
		FAILING("\x60\x20\x51", 8, 3 + 6),               /* MLOAD of the second word */
		FAILING("\x60\x40\x5f\x20", 46, 30 + 6 + 12),    /* KECCAK256 of two words */
		FAILING("\x5f\x54", 2000, 2100),                  /* SLOAD, cold */
		FAILING("\x60\x01\x5f\x55", 5000, 2100 + 20000), /* SSTORE, cold */
		FAILING("\x5f\x5f\x55", 2304, 0),                  /* SSTORE, 2300 left: EIP-2200 */
		FAILING("\x5f\x31", 2000, 2600),                  /* BALANCE, cold */
	};
	struct counter c = { 0 };
	const struct vm_tracer tracer = { .ctx = &c, .fail = count_fail };
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	vm_set_tracer(f.vm, &tracer);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		c = (struct counter){ 0 };
		cr_assert_eq(run(&f, cases[i].code, cases[i].gas), VM_FAILURE);
		cr_assert_eq(c.fail_count, 1);
		cr_assert_eq(c.cost_gas, cases[i].cost_gas, "%zu: %llu", i, (unsigned long long)c.cost_gas);
		cr_assert_eq(c.reason.kind, f.r.reason.kind);
	}
	vm_set_tracer(f.vm, NULL);
	teardown(&f);
}

/* A tracer that has seen enough ends the run there, and the next one is as if nothing was. */
Test(vm, tracer_ends_the_run)
{
	struct counter c = { .step_count_max = 1000 };
	const struct vm_tracer tracer = { .ctx = &c, .step = count_step, .is_over = count_is_over };
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	vm_set_tracer(f.vm, &tracer);
	world_account(&f.w, 1, bytes_of("\x5b\x5f\x56", 3), 0);
	cr_assert(!world_call(&f.w, 1, bytes_of(NULL, 0), 1ull << 40, &f.r));
	cr_assert_eq(c.steps, 1000);
	vm_set_tracer(f.vm, NULL);
	cr_assert_eq(RUN(&f, "\x60\x01" GIVE, 1000), VM_SUCCESS);
	cr_assert_eq(output(&f), 1);
	teardown(&f);
}

/* Each instruction hands over to the next without a native frame: else millions of
 * them would need more stack than there is. */
Test(vm, loops_use_no_native_stack)
{
	static const char *const bodies[] = {
		"5f50", "5f5f0150", "5f5f1050", "5f515050", "5f5f52", "5f5f5f0950", "3050", "3350",
		"5f5f5f5f5f93935050505050", "60018060020150", "5f5f2050", "5a50", "5f5450", "5860015050",
		"5f355f5250", "5f5f5f37", "5f5f0a50", "5f5f1b5f1c5f1d1550", "5f5f5f5e", "5f8015600050",
	};
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
		const char *hex = bodies[i];
		struct buf code = { 0 };

		buf_append_byte(&code, 0x5b);
		for (; *hex; hex += 2) {
			char two[3] = { hex[0], hex[1], 0 };

			buf_append_byte(&code, (uint8_t)strtoul(two, NULL, 16));
		}
		buf_append(&code, "\x5f\x56", 2);
		cr_assert_eq(run(&f, buf_bytes(&code), 10000000), VM_FAILURE);
		buf_clear(&code);
	}
	teardown(&f);
}

Test(vm, reverted_frames_give_data_and_keep_gas)
{
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	/* account 2: stores, then REVERT with 32 bytes of 5 */
	world_account(&f.w, 2, bytes_of("\x60\x01\x5f\x55\x60\x05\x5f\x52\x60\x20\x5f\xfd", 12), 0);
	/* CALL account 2; RETURNDATASIZE + RETURNDATACOPY; add the status */
	cr_assert_eq(RUN(&f, "\x5f\x5f\x5f\x5f\x5f\x73\xaa\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x5a\xf1"
			     "\x3d\x5f\x5f\x3e\x5f\x51\x01" GIVE, 100000), VM_SUCCESS);
	cr_assert_eq(output(&f), 5);
	cr_assert_gt(f.r.gas_left, 60000);
	for (size_t i = 0; i < f.w.now.slot_count; i++)
		cr_assert(u256_is_zero(&f.w.now.slots[i].current));
	teardown(&f);
}

Test(vm, static_frames_change_nothing)
{
	static const char *const codes[] = {
		"\x5f\x5f\x55", "\x5f\x5f\x5d", "\x5f\x5f\xa0", "\x5f\x5f\x5f\xf0", "\x5f\xff",
	};
	static const uint8_t sizes[] = { 3, 3, 3, 4, 2 };
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		world_account(&f.w, 2, bytes_of(codes[i], sizes[i]), 0);
		cr_assert_eq(RUN(&f, "\x5f\x5f\x5f\x5f\x73\xaa\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x62\x01\0\0\xfa"
				     GIVE, 200000), VM_SUCCESS);
		cr_assert_eq(output(&f), 0, "code %zu", i);
	}
	teardown(&f);
}

Test(vm, host_that_fails_ends_the_run)
{
	struct fixture f;

	setup(&f, REVISION_OSAKA);
	world_account(&f.w, 1, bytes_of(CALL_ITSELF, 8), 0);
	f.w.fails = true;
	cr_assert_not(world_call(&f.w, 1, bytes_of(NULL, 0), 100000, &f.r));
	f.w.fails = false;
	f.w.snapshot_count = 0;
	cr_assert_eq(RUN(&f, "\x60\x07" GIVE, 1000), VM_SUCCESS);
	teardown(&f);
}

/* Over its size the oldest code goes; what runs stays. */
Test(vm, code_cache_is_bounded)
{
	struct vm *vm = vm_new(REVISION_OSAKA, 64 * KIB, 1);
	struct vm_code *first = NULL;
	struct hash hash = { 0 };
	uint8_t code[1000] = { 0 };

	for (uint64_t i = 1; i <= 1000; i++) {
		struct vm_code *c;

		store_be64(hash.bytes, i);
		cr_assert_null(vm_code_find(vm, &hash));
		c = vm_code_add(vm, &hash, bytes_of(code, sizeof(code)));
		cr_assert_eq(vm_code_find(vm, &hash), c);
		if (i == 1)
			first = vm_code_ref(c);
	}
	store_be64(hash.bytes, 1);
	cr_assert_null(vm_code_find(vm, &hash));
	cr_assert_eq(first->bytes.size, sizeof(code));
	vm_code_unref(first);
	vm_free(vm);
}
