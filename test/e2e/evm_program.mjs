// evm_program - contract code made at random, built so that it mostly runs: expressions and
// statements that keep the stack in order, and now and then something that breaks it.
import { concat, numberToBytes } from "./evm_random.mjs";
import { drawInput } from "./evm_inputs.mjs";

export const op = {
	STOP: 0x00, ADD: 0x01, MUL: 0x02, SUB: 0x03, DIV: 0x04, SDIV: 0x05, MOD: 0x06, SMOD: 0x07,
	ADDMOD: 0x08, MULMOD: 0x09, EXP: 0x0a, SIGNEXTEND: 0x0b, LT: 0x10, GT: 0x11, SLT: 0x12,
	SGT: 0x13, EQ: 0x14, ISZERO: 0x15, AND: 0x16, OR: 0x17, XOR: 0x18, NOT: 0x19, BYTE: 0x1a,
	SHL: 0x1b, SHR: 0x1c, SAR: 0x1d, CLZ: 0x1e, KECCAK256: 0x20, ADDRESS: 0x30, BALANCE: 0x31,
	ORIGIN: 0x32, CALLER: 0x33, CALLVALUE: 0x34, CALLDATALOAD: 0x35, CALLDATASIZE: 0x36,
	CALLDATACOPY: 0x37, CODESIZE: 0x38, CODECOPY: 0x39, GASPRICE: 0x3a, EXTCODESIZE: 0x3b,
	EXTCODECOPY: 0x3c, RETURNDATASIZE: 0x3d, RETURNDATACOPY: 0x3e, EXTCODEHASH: 0x3f,
	BLOCKHASH: 0x40, COINBASE: 0x41, TIMESTAMP: 0x42, NUMBER: 0x43, PREVRANDAO: 0x44,
	GASLIMIT: 0x45, CHAINID: 0x46, SELFBALANCE: 0x47, BASEFEE: 0x48, BLOBHASH: 0x49,
	BLOBBASEFEE: 0x4a, POP: 0x50, MLOAD: 0x51, MSTORE: 0x52, MSTORE8: 0x53, SLOAD: 0x54,
	SSTORE: 0x55, JUMP: 0x56, JUMPI: 0x57, PC: 0x58, MSIZE: 0x59, GAS: 0x5a, JUMPDEST: 0x5b,
	TLOAD: 0x5c, TSTORE: 0x5d, MCOPY: 0x5e, PUSH0: 0x5f, PUSH1: 0x60, PUSH2: 0x61, PUSH20: 0x73,
	PUSH32: 0x7f, DUP1: 0x80, SWAP1: 0x90, LOG0: 0xa0, CREATE: 0xf0, CALL: 0xf1, CALLCODE: 0xf2,
	RETURN: 0xf3, DELEGATECALL: 0xf4, CREATE2: 0xf5, STATICCALL: 0xfa, REVERT: 0xfd,
	INVALID: 0xfe, SELFDESTRUCT: 0xff,
};

const nullary = [op.ADDRESS, op.ORIGIN, op.CALLER, op.CALLVALUE, op.CALLDATASIZE, op.CODESIZE,
	op.GASPRICE, op.RETURNDATASIZE, op.COINBASE, op.TIMESTAMP, op.NUMBER, op.PREVRANDAO, op.GASLIMIT,
	op.CHAINID, op.SELFBALANCE, op.BASEFEE, op.BLOBBASEFEE, op.PC, op.MSIZE, op.GAS];
const binary = [op.ADD, op.MUL, op.SUB, op.DIV, op.SDIV, op.MOD, op.SMOD, op.EXP, op.SIGNEXTEND,
	op.LT, op.GT, op.SLT, op.SGT, op.EQ, op.AND, op.OR, op.XOR, op.BYTE, op.SHL, op.SHR, op.SAR];

/** Code under way: bytes, places that wait for a label, data that goes behind the code. */
class Assembler {
	constructor() {
		this.out = [];
		this.holes = []; /* [place, () => number] */
		this.blobs = [];
		this.marks = [];
	}

	emit(...bytes) {
		this.out.push(...bytes);
	}

	push(n) {
		n = BigInt(n);
		if (n === 0n) return this.emit(op.PUSH0);
		const size = Math.ceil(n.toString(16).length / 2);
		this.emit(op.PUSH0 + size, ...numberToBytes(n, size));
	}

	pushHole(value) {
		this.emit(op.PUSH2, 0, 0);
		this.holes.push([this.out.length - 2, value]);
	}

	label() {
		this.marks.push(-1);
		return this.marks.length - 1;
	}

	place(label) {
		this.marks[label] = this.out.length;
		this.emit(op.JUMPDEST);
	}

	pushLabel(label) {
		this.pushHole(() => this.marks[label]);
	}

	/** Data behind the code; what it gives is [pushes its offset, its size]. */
	blob(bytes) {
		const entry = { bytes, at: 0 };
		this.blobs.push(entry);
		return () => this.pushHole(() => entry.at);
	}

	finish() {
		if (this.blobs.length) this.emit(op.INVALID);
		for (const b of this.blobs) {
			b.at = this.out.length;
			this.out.push(...b.bytes);
		}
		for (const [place, value] of this.holes) {
			this.out[place] = (value() >> 8) & 0xff;
			this.out[place + 1] = value() & 0xff;
		}
		return Uint8Array.from(this.out);
	}
}

/** `world`: { fork, addresses: [[weight, bytes] …], precompiles: [numbers], edge: bytes }. */
export class Programmer {
	constructor(rng, world) {
		this.r = rng;
		this.world = world;
	}

	/** A program; `budget`: about so many statements; `nesting`: of code within code. */
	program(budget, nesting = 0, isInit = false) {
		const outer = { a: this.a, nesting: this.nesting, loops: this.loops };
		Object.assign(this, { a: new Assembler(), nesting, loops: 0 });
		if (this.r.below(10) < 8) this.guard();
		const count = this.r.between(1, budget);
		for (let i = 0; i < count; i++) this.statement();
		this.ending(isInit);
		const code = this.a.finish();
		Object.assign(this, outer);
		return code;
	}

	/** Ends well while there is gas: what calls itself would else always end without. */
	guard() {
		const { r, a } = this;
		const on = a.label();
		a.push(BigInt(r.between(20000, 120000)));
		a.emit(op.GAS, op.GT);
		a.pushLabel(on);
		a.emit(op.JUMPI);
		r.oneIn(4) ? a.emit(op.PUSH0, op.PUSH0, r.pick([op.RETURN, op.REVERT])) : a.emit(op.STOP);
		a.place(on);
	}

	// --- operands ---

	address() {
		return this.r.weighted(this.world.addresses);
	}

	offset() {
		const { r } = this;
		if (r.oneIn(500)) return r.pick([1n << 16n, 1n << 20n, 1n << 32n, (1n << 64n) - 1n, (1n << 64n) - 32n, 1n << 64n, (1n << 256n) - 1n]);
		return BigInt(r.weighted([[6, 0], [6, r.pick([1, 31, 32, 33, 63, 64, 65, 96, 128])], [2, r.below(300)], [1, r.below(3000)]]));
	}

	size() {
		const { r } = this;
		if (r.oneIn(700)) return r.pick([1n << 16n, 1n << 32n, (1n << 64n) - 1n, 1n << 64n, (1n << 256n) - 1n]);
		return BigInt(r.weighted([[4, 0], [6, r.pick([1, 4, 20, 31, 32, 33, 64])], [3, r.below(200)], [1, r.below(1500)]]));
	}

	slot() {
		return this.r.oneIn(20) ? this.r.word() : BigInt(this.r.below(4));
	}

	pushAddress() {
		const { r, a } = this;
		if (r.oneIn(8)) return a.emit(r.pick([op.ADDRESS, op.CALLER, op.ORIGIN, op.COINBASE]));
		const bytes = this.address();
		if (r.oneIn(20)) return a.emit(op.PUSH32, ...r.bytes(12), ...bytes); /* the upper bits don't count */
		a.emit(op.PUSH20, ...bytes);
	}

	/** Leaves one word. */
	expression(depth = 3) {
		const { r, a } = this;
		const kind = depth <= 0 ? r.below(2) : r.below(9);
		switch (kind) {
		case 0: return a.push(r.oneIn(30) ? r.word() : r.word());
		case 1: return a.emit(r.pick(nullary));
		case 2: return this.unary(depth);
		case 3:
			for (let i = 0; i < 3; i++) this.expression(depth - 1);
			return a.emit(r.pick([op.ADDMOD, op.MULMOD]));
		case 4: return this.shuffled(depth);
		case 5:
			a.push(this.size());
			a.push(this.offset());
			return a.emit(op.KECCAK256);
		default:
			this.expression(depth - 1);
			this.expression(depth - 1);
			return a.emit(r.pick(binary));
		}
	}

	unary(depth) {
		const { r, a } = this;
		const sloadLike = [op.SLOAD, op.TLOAD];
		switch (r.below(9)) {
		case 0: a.push(this.slot()); return a.emit(r.pick(sloadLike));
		case 1: this.pushAddress(); return a.emit(r.pick([op.BALANCE, op.EXTCODESIZE, op.EXTCODEHASH]));
		case 2: a.push(this.offset()); return a.emit(op.MLOAD);
		case 3: a.push(r.oneIn(5) ? r.word() : BigInt(r.below(100))); return a.emit(op.CALLDATALOAD);
		case 4: /* far from the blocks that there are: the hashes of those are each side's own */
			a.push(r.pick([0n, 1n, 5n, 1n << 60n, 1n << 64n, (1n << 256n) - 1n]));
			return a.emit(op.BLOCKHASH);
		case 5: a.push(r.below(3)); return a.emit(op.BLOBHASH);
		case 6:
			this.expression(depth - 1);
			/* before Osaka it is an instruction that does not exist */
			return a.emit(this.world.fork === "Osaka" || r.oneIn(40) ? op.CLZ : op.NOT);
		default:
			this.expression(depth - 1);
			return a.emit(r.pick([op.ISZERO, op.NOT, op.ISZERO]));
		}
	}

	/** Several words, swapped and copied, of which one is left. */
	shuffled(depth) {
		const { r, a } = this;
		const count = r.oneIn(15) ? r.between(5, 18) : r.between(2, 4);
		for (let i = 0; i < count; i++) i < 3 ? this.expression(depth - 1) : a.push(r.word());
		let left = count;
		for (let i = r.between(1, 4); i > 0; i--) {
			if (r.oneIn(2)) {
				a.emit(op.DUP1 + r.below(Math.min(left, 16)));
				left++;
			} else if (left > 1) {
				a.emit(op.SWAP1 + r.below(Math.min(left - 1, 16)));
			}
		}
		for (; left > 1; left--) a.emit(r.oneIn(2) ? op.POP : r.pick([op.ADD, op.XOR, op.SUB, op.AND, op.OR, op.LT, op.SHL]));
	}

	// --- statements: they leave the stack as it was ---

	statement() {
		const { r } = this;
		const kinds = [
			[10, "store"], [8, "keep"], [5, "copy"], [14, "call"], [8, "precompile"], [3, "log"],
			[this.nesting < 2 ? 5 : 0, "create"], [3, "branch"], [this.loops < 2 ? 3 : 0, "loop"], [2, "jump"], [2, "gas"], [1, "limit"], [4, "look"],
			[r.oneIn(10) ? 2 : 0, "returned"], [2, "refunds"], [r.oneIn(20) ? 3 : 0, "broken"], [r.oneIn(6) ? 2 : 0, "destruct"],
		];
		this[r.weighted(kinds)]();
	}

	/** Uses the word on top: keeps it where it will be seen, or drops it. */
	use() {
		const { r, a } = this;
		switch (r.below(4)) {
		case 0: return a.emit(op.POP);
		case 1: a.push(this.slot()); return a.emit(r.oneIn(3) ? op.TSTORE : op.SSTORE);
		case 2: a.push(this.offset()); return a.emit(r.oneIn(4) ? op.MSTORE8 : op.MSTORE);
		default: a.push(0n); a.emit(op.MSTORE); a.push(32n); a.push(0n); return a.emit(op.LOG0);
		}
	}

	store() {
		this.expression();
		this.use();
	}

	/** Storage from a few values to a few: all rows of the table of SSTORE's costs. */
	keep() {
		const { r, a } = this;
		a.push(r.oneIn(4) ? r.word() : BigInt(r.below(3)));
		a.push(this.slot());
		a.emit(r.oneIn(5) ? op.TSTORE : op.SSTORE);
	}

	/** What is stored now: shows what was not taken back. */
	look() {
		const { r, a } = this;
		a.push(this.slot());
		a.emit(r.oneIn(2) ? op.TLOAD : op.SLOAD);
		this.use();
	}

	refunds() {
		for (let i = this.r.between(2, 5); i > 0; i--) this.keep();
	}

	copy() {
		const { r, a } = this;
		const what = r.pick([op.CALLDATACOPY, op.CODECOPY, op.EXTCODECOPY, op.MCOPY, op.RETURNDATACOPY]);
		a.push(this.size());
		if (what === op.RETURNDATACOPY && !r.oneIn(25)) {
			a.emit(op.POP, op.RETURNDATASIZE); /* all of it: in bounds */
			a.push(0n);
		} else {
			a.push(r.oneIn(20) ? r.word() : this.offset());
		}
		a.push(this.offset());
		if (what === op.EXTCODECOPY) this.pushAddress();
		a.emit(what);
	}

	log() {
		const { r, a } = this;
		const topics = r.below(5);
		for (let i = 0; i < topics; i++) i < 2 ? this.expression(1) : a.push(r.word());
		a.push(this.size());
		a.push(this.offset());
		a.emit(op.LOG0 + topics);
	}

	pushCallGas() {
		const { r, a } = this;
		switch (r.below(8)) {
		case 0: return a.push(BigInt(r.pick([0, 1, 2, 20, 99, 100, 700, 2299, 2300, 2301, 2305, 2306, 2307, 2600, 5000])));
		case 1: return a.push(r.pick([1n << 63n, (1n << 64n) - 1n, 1n << 64n, (1n << 256n) - 1n]));
		case 2: return a.push(BigInt(r.between(1000, 60000)));
		case 3: a.push(BigInt(r.below(3000))); a.emit(op.GAS); return a.emit(op.SUB);
		case 4: return a.emit(op.GAS);
		default: /* a part of it, so that there is something left to go on with */
			a.emit(op.GAS);
			a.push(BigInt(r.between(1, 3)));
			return a.emit(op.SHR);
		}
	}

	pushValue() {
		const { r, a } = this;
		if (!r.oneIn(3)) return a.push(0n);
		switch (r.below(4)) {
		case 0: return a.push(1n);
		case 1: return a.emit(op.SELFBALANCE);
		case 2: return a.push(r.word());
		default: return a.push(BigInt(r.below(1000)));
		}
	}

	/** What a call gave: its answer, and the data it returned. */
	answered() {
		const { r, a } = this;
		this.use();
		if (r.oneIn(2)) return;
		a.emit(op.RETURNDATASIZE);
		a.push(r.oneIn(60) ? 1n : 0n);
		a.push(this.offset() % 512n);
		a.emit(op.RETURNDATACOPY);
		a.push(BigInt(r.pick([32, 64, 512])));
		a.push(0n);
		a.emit(op.KECCAK256);
		this.use();
	}

	/** The words under the address, then address, gas and the call. */
	finishCall(pushAddress, { argSize, argOffset }) {
		const { r, a } = this;
		const what = r.weighted([[6, op.CALL], [2, op.CALLCODE], [4, op.DELEGATECALL], [4, op.STATICCALL]]);
		a.push(this.size());
		a.push(this.offset());
		a.push(argSize);
		a.push(argOffset);
		if (what === op.CALL || what === op.CALLCODE) this.pushValue();
		pushAddress();
		this.pushCallGas();
		a.emit(what);
		this.answered();
	}

	call() {
		this.finishCall(() => this.pushAddress(), { argSize: this.size(), argOffset: this.offset() });
	}

	/** A blob into memory at 0, or a little further. */
	load(bytes, at = 0n) {
		const { a } = this;
		const pushBlob = a.blob(bytes);
		a.push(BigInt(bytes.length));
		pushBlob();
		a.push(at);
		a.emit(op.CODECOPY);
	}

	precompile() {
		const { r, a } = this;
		const number = r.pick(this.world.precompiles);
		const input = drawInput(r, number, this.world.fork);
		if (input.length > 3500) return this.call();
		this.load(input);
		const pushNumber = () => a.push(BigInt(number));
		this.finishCall(pushNumber, { argSize: BigInt(input.length), argOffset: 0n });
	}

	create() {
		const { r, a } = this;
		const code = r.oneIn(10) ? r.bytes(r.between(0, 40)) : this.program(4, this.nesting + 1, true);
		const isSalted = r.oneIn(2);
		const salt = BigInt(r.below(2));
		this.load(code);
		for (let again = r.oneIn(4) ? 2 : 1; again > 0; again--) {
			if (isSalted) a.push(salt); /* twice the same address, sometimes */
			a.push(r.oneIn(60) ? r.pick([49152n, 49153n]) : BigInt(code.length));
			a.push(0n);
			this.pushValue();
			a.emit(isSalted ? op.CREATE2 : op.CREATE);
			if (again > 1) a.emit(op.POP);
		}
		if (r.oneIn(2)) {
			a.emit(op.DUP1);
			this.use();
			/* and a call to it: its address is on top */
			for (let i = 0; i < 5; i++) a.emit(op.PUSH0);
			a.emit(op.SWAP1 + 4, op.GAS, op.CALL);
		}
		this.answered();
	}

	branch() {
		const { r, a } = this;
		const end = a.label();
		this.expression(2);
		a.pushLabel(end);
		a.emit(op.JUMPI);
		for (let i = r.between(1, 2); i > 0; i--) this.statement();
		a.place(end);
	}

	loop() {
		const { r, a } = this;
		const head = a.label();
		a.push(BigInt(r.oneIn(10) ? r.between(20, 300) : r.between(1, 6)));
		a.place(head);
		this.loops++;
		for (let i = r.between(1, 2); i > 0; i--) this.statement();
		this.loops--;
		a.push(1n);
		a.emit(op.SWAP1, op.SUB, op.DUP1);
		a.pushLabel(head);
		a.emit(op.JUMPI, op.POP);
	}

	/** Over bytes that are never reached, but are code or data to whoever looks for JUMPDEST. */
	jump() {
		const { r, a } = this;
		const end = a.label();
		a.pushLabel(end);
		a.emit(op.JUMP, ...r.bytes(r.below(6)));
		for (let i = 0; i < 33; i++) a.emit(op.STOP); /* behind any PUSH among them */
		a.place(end);
	}

	gas() {
		const { a } = this;
		a.emit(op.GAS);
		this.use();
	}

	/** A call with just so much gas that its SSTORE has 2300 left, or one less or more (EIP-2200). */
	limit() {
		const { r, a } = this;
		for (let i = 0; i < 5; i++) a.emit(op.PUSH0);
		a.emit(op.PUSH20, ...this.world.edge);
		a.push(BigInt(r.between(2305, 2308)));
		a.emit(op.CALL);
		this.use();
	}

	returned() {
		const { r, a } = this;
		a.push(BigInt(r.below(40)));
		a.push(r.oneIn(10) ? r.word() : BigInt(r.below(40)));
		a.push(this.offset());
		a.emit(op.RETURNDATACOPY);
	}

	broken() {
		const { r, a } = this;
		switch (r.below(7)) {
		case 0: return a.emit(op.POP);
		case 1: return a.emit(...r.bytes(r.between(1, 8)));
		case 2: a.push(r.oneIn(2) ? r.word() : BigInt(r.below(a.out.length + 1))); return a.emit(op.JUMP);
		case 3: return a.emit(r.pick([0x0c, 0x0f, 0x1e, 0x1f, 0x21, 0x4b, 0x4f, 0xa5, 0xb0, 0xef, 0xf6, 0xf7, 0xf8, 0xf9, 0xfb, 0xfc, 0xfe]));
		case 4: a.push(r.word()); a.push(r.word()); return a.emit(r.pick([op.MSTORE, op.KECCAK256, op.LOG0]));
		case 5: { /* a full stack */
			const head = a.label();
			a.place(head);
			a.emit(op.PC);
			a.pushLabel(head);
			return a.emit(op.JUMP);
		}
		default: return a.emit(op.DUP1 + r.below(16), op.POP);
		}
	}

	destruct() {
		const { r, a } = this;
		if (r.oneIn(2)) { /* most often it does not */
			const over = a.label();
			this.expression(1);
			a.pushLabel(over);
			a.emit(op.JUMPI);
			this.pushAddress();
			a.emit(op.SELFDESTRUCT);
			a.place(over);
		} else {
			this.pushAddress();
			a.emit(op.SELFDESTRUCT);
		}
	}

	ending(isInit) {
		const { r, a } = this;
		if (isInit && !r.oneIn(4)) {
			const runtime = r.weighted([
				[8, () => this.program(4, this.nesting + 1)], [1, () => Uint8Array.of(0xef, ...r.bytes(3))],
				[1, () => concat(Uint8Array.of(0xef, 1, 0), r.bytes(20))], [1, () => new Uint8Array(0)], [2, () => r.bytes(r.below(60))],
			])();
			this.load(runtime);
			a.push(r.oneIn(60) ? r.pick([24576n, 24577n]) : BigInt(runtime.length));
			a.push(0n);
			return a.emit(op.RETURN);
		}
		switch (r.below(8)) {
		case 0: return a.emit(op.STOP);
		case 1: return undefined;
		case 2: a.push(this.size()); a.push(this.offset()); return a.emit(op.REVERT);
		case 3: return a.emit(op.PUSH1 + r.below(32)); /* its data are beyond the end, or behind it */
		default: a.push(this.size()); a.push(this.offset()); return a.emit(op.RETURN);
		}
	}
}
