// evm_case - a case of the differential run: a small world and one transaction, drawn from a
// seed. No block is needed to draw it; its context comes from the other side's block.
import { RLP } from "@ethereumjs/rlp";
import { keccak256, SigningKey } from "ethers";
import { concat, fromHex, numberToBytes, Rng, toHex } from "./evm_random.mjs";
import { op, Programmer } from "./evm_program.mjs";
import { drawInput } from "./evm_inputs.mjs";

export const chainId = 1n;
export const baseFee = 7n;
export const blockGasLimit = 1n << 44n; /* enough for calls 1024 deep */
export const gasCap = 1n << 24n; /* EIP-7825 */

const hash = (bytes) => fromHex(keccak256(bytes));
const keys = [...Array(6).keys()].map((i) => new SigningKey(hash(Uint8Array.of(0x77, i))));
const addressOf = (key) => hash(fromHex(key.publicKey).slice(1)).slice(12);
const eoas = keys.map(addressOf); /* 0: the sender */

const lowAddress = (n) => numberToBytes(BigInt(n), 20);
const contractAddress = (i) => concat(fromHex("c0de"), new Uint8Array(17), Uint8Array.of(i));
const delegation = (address) => concat(fromHex("ef0100"), address);
const coinbase = fromHex("c01bba5e00000000000000000000000000000000");
const edgeAddress = fromHex("ed9e000000000000000000000000000000000000");
const undoneAddress = fromHex("ed9e000000000000000000000000000000000001");
const missing = fromHex("00000000000000000000000000000000dead0001");

// --- the world ---

function precompilesOf(fork) {
	const all = [1, 2, 3, 4, 5, 5, 6, 7, 8, 9];
	if (fork === "Osaka") all.push(0x100, 0x100);
	return all;
}

function drawAddresses(r, fork, contracts) {
	const list = contracts.map((_, i) => [6, contractAddress(i)]);
	for (const eoa of eoas) list.push([2, eoa]);
	list.push([2, edgeAddress], [2, undoneAddress], [1, coinbase], [1, missing], [1, lowAddress(0)], [1, lowAddress(0x100)], [1, lowAddress(0xff)]);
	for (let i = 1; i < 10; i++) list.push([1, lowAddress(i)]);
	if (r.oneIn(25)) list.push([2, lowAddress(r.between(0x0a, 0x13))]);
	if (fork === "Cancun" || r.oneIn(30)) list.push([1, lowAddress(r.between(0x0b, 0x12))]);
	return list;
}

function drawStorage(r) {
	const storage = {};
	for (let i = 0; i < 3; i++) {
		const value = r.pick([0n, 0n, 1n, 1n, 2n, r.word()]);
		if (value) storage[toHex(numberToBytes(BigInt(i), 32))] = toHex(numberToBytes(value, 32));
	}
	return storage;
}

const account = (nonce, balance, code = new Uint8Array(0), storage = {}) => ({
	nonce: "0x" + BigInt(nonce).toString(16), balance: "0x" + BigInt(balance).toString(16),
	code: toHex(code), storage,
});

/** What an authority has before: nothing, money, or (from Prague on) a delegation. */
function drawAuthority(r, fork, index, contracts) {
	const target = r.weighted([
		[6, contractAddress(r.below(contracts.length))], [1, lowAddress(r.between(1, 9))],
		[2, eoas[r.between(1, 5)]], [1, eoas[index]], [1, missing],
	]);
	switch (r.below(4)) {
	case 0: return null;
	case 1: return account(r.below(3), r.between(1, 1000));
	default: return fork === "Cancun" ? account(0, 5) : account(r.between(1, 3), r.below(1000), delegation(target));
	}
}

function drawWorld(r, fork) {
	const contracts = new Array(r.between(2, 5)).fill(null);
	const addresses = drawAddresses(r, fork, contracts);
	const programmer = new Programmer(r, { fork, addresses, precompiles: precompilesOf(fork), edge: edgeAddress });
	const world = new Map();
	for (let i = 0; i < contracts.length; i++)
		world.set(toHex(contractAddress(i)),
			account(r.pick([0, 1, 1, 5]), r.pick([0, 0, 1, 1000]), programmer.program(20), drawStorage(r)));
	/* writes what is there: 2306 gas take it to EIP-2200's limit */
	world.set(toHex(edgeAddress), account(1, 0, Uint8Array.of(op.PUSH1, 1, op.PUSH1, 0, op.SSTORE), { [toHex(numberToBytes(0n, 32))]: toHex(numberToBytes(1n, 32)) }));
	/* keeps what it finds in transient storage after a call of itself wrote there and reverted */
	world.set(toHex(undoneAddress), account(1, 0, fromHex("366013575f5f60015f5f305af1505f5c5f55005b60075f5d5f5ffd"), {}));
	for (let i = 1; i < eoas.length; i++) {
		const a = drawAuthority(r, fork, i, contracts);
		if (a) world.set(toHex(eoas[i]), a);
	}
	return { world, addresses, programmer, contractCount: contracts.length };
}

// --- the transaction ---

const int = (n) => {
	n = BigInt(n);
	return n === 0n ? new Uint8Array(0) : numberToBytes(n, Math.ceil(n.toString(16).length / 2));
};

function drawAccessList(r, addresses) {
	const list = [];
	for (let i = r.below(4); i > 0; i--) {
		const slots = [];
		for (let k = r.below(4); k > 0; k--) slots.push(numberToBytes(BigInt(r.below(4)), 32));
		list.push([r.weighted(addresses), slots]);
	}
	return list;
}

/** Mostly valid; else void (EIP-7702: it is skipped) for one of the reasons that there are. */
function drawAuthorization(r, t, world, addresses, seen) {
	const index = r.oneIn(5) ? 0 : r.between(1, 5);
	const who = toHex(eoas[index]);
	const before = index === 0 ? t.nonce + 1n : BigInt(world.get(who)?.nonce ?? 0);
	let nonce = before + BigInt(seen.get(who) ?? 0);
	let chain = r.pick([0n, chainId, chainId]);
	const address = r.oneIn(6) ? lowAddress(0) : r.weighted(addresses);
	const spoiled = r.oneIn(4) ? r.below(r.oneIn(6) ? 10 : 7) : -1;
	if (spoiled === 0) nonce += r.pick([1n, (1n << 64n) - 1n - nonce, (1n << 64n) - 2n - nonce]);
	if (spoiled === 1) chain = r.pick([2n, (1n << 64n) - 1n, (1n << 64n) + 1n]);
	const message = concat(Uint8Array.of(5), RLP.encode([int(chain), address, int(nonce)]));
	const s = keys[index].sign(hash(message));
	let [parity, big_r, big_s] = [BigInt(s.yParity), BigInt(s.r), BigInt(s.s)];
	const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
	if (spoiled === 2) [parity, big_s] = [1n - parity, order - big_s];
	if (spoiled === 3) big_r = 0n;
	if (spoiled === 4) parity = r.pick([2n, 27n, 255n]);
	if (spoiled === 5) big_s = r.pick([0n, order, 1n]);
	/* and what makes the transaction invalid: numbers that are too long */
	if (spoiled === 7) parity = 256n;
	if (spoiled === 8) nonce = 1n << 64n;
	if (spoiled === 9) chain = 1n << 256n;
	if (spoiled === 6) parity = 1n - parity; /* somebody else signed */
	if (spoiled < 0) {
		if (index && !world.has(who) && !seen.has(who)) t.emptyAuthorities++;
		seen.set(who, (seen.get(who) ?? 0) + 1);
	} else if ((spoiled === 5 || spoiled === 6) && nonce === 0n) {
		t.emptyAuthorities++; /* it is valid, of an account that nobody knows */
	}
	return [int(chain), address, int(nonce), int(parity), int(big_r), int(big_s)];
}

function drawData(r, programmer, to, fork) {
	if (!to) {
		if (r.oneIn(50)) return new Uint8Array(r.pick([49152, 49153])).fill(r.below(2));
		return programmer.program(12, 0, true);
	}
	const number = Number(BigInt(toHex(to)));
	if (number && number <= 0x100 && !r.oneIn(8)) return drawInput(r, number, fork);
	switch (r.below(8)) {
	case 0: return new Uint8Array(r.below(2000));
	case 1: return r.bytes(r.below(3000));
	case 2: return new Uint8Array(0);
	default: return r.bytes(r.below(100));
	}
}

/** What is due before the first step, and EIP-7623's floor. */
function dueGas(t, fork) {
	const zeros = t.data.filter((b) => b === 0).length;
	const tokens = zeros + 4 * (t.data.length - zeros);
	let gas = 21000 + 4 * tokens;
	if (!t.to) gas += 32000 + 2 * Math.ceil(t.data.length / 32);
	for (const [, slots] of t.accessList) gas += 2400 + 1900 * slots.length;
	gas += 25000 * t.authorizations.length;
	return { intrinsic: gas, floor: fork === "Cancun" ? 0 : 21000 + 10 * tokens };
}

function drawGasLimit(r, t, fork) {
	const { intrinsic, floor } = dueGas(t, fork);
	const least = Math.max(intrinsic, floor);
	switch (r.below(20)) {
	case 0: return BigInt(intrinsic + r.between(-1, 1));
	case 1: return BigInt(Math.max(floor, 21000) + r.between(-1, 1));
	case 2: return BigInt(least + r.below(3000));
	case 3: return BigInt(least + r.below(30000));
	case 4: return r.pick([gasCap, gasCap, gasCap + 1n, 30000000n, blockGasLimit + 1n]);
	case 5: case 6: case 7: case 8: return BigInt(least + r.between(30000, 300000));
	default: return BigInt(least + r.between(300000, 6000000));
	}
}

function encode(t) {
	const to = t.to ?? new Uint8Array(0);
	const head = [int(t.nonce)];
	const tail = [int(t.gasLimit), to, int(t.value), t.data];
	switch (t.type) {
	case 0: return [...head, int(t.maxFee), ...tail];
	case 1: return [int(t.chainId), ...head, int(t.maxFee), ...tail, t.accessList];
	default: {
		const fields = [int(t.chainId), ...head, int(t.tip), int(t.maxFee), ...tail, t.accessList];
		return t.type === 4 ? [...fields, t.authorizations] : fields;
	}
	}
}

function sign(t, key) {
	const fields = encode(t);
	const prefix = t.type ? Uint8Array.of(t.type) : new Uint8Array(0);
	const isProtected = t.type === 0 && t.chainId !== null;
	const unsigned = isProtected ? [...fields, int(t.chainId), int(0), int(0)] : fields;
	const s = key.sign(hash(concat(prefix, RLP.encode(unsigned))));
	const v = t.type ? BigInt(s.yParity) : BigInt(s.yParity) + (isProtected ? 2n * t.chainId + 35n : 27n);
	return concat(prefix, RLP.encode([...fields, int(v), int(s.r), int(s.s)]));
}

function drawTransaction(r, fork, { world, addresses, programmer, contractCount }) {
	const types = [[3, 0], [2, 1], [6, 2]];
	if (fork !== "Cancun") types.push([6, 4]);
	const sender = { nonce: BigInt(r.pick([0, 1, 200])) };
	const t = { type: r.weighted(types), nonce: sender.nonce, accessList: [], authorizations: [], emptyAuthorities: 0 };
	t.to = r.weighted([
		[20, () => contractAddress(r.below(contractCount))], [4, () => r.weighted(addresses)],
		[1, () => lowAddress(r.pick(precompilesOf(fork)))], [t.type === 4 ? 0 : 4, () => null],
	])();
	t.chainId = t.type === 0 && r.oneIn(4) ? null : r.oneIn(80) ? 2n : chainId;
	if (t.type) t.accessList = r.oneIn(3) ? [] : drawAccessList(r, addresses);
	if (t.type === 4) {
		const seen = new Map();
		for (let i = r.oneIn(40) ? 0 : r.between(1, 4); i > 0; i--)
			t.authorizations.push(drawAuthorization(r, t, world, addresses, seen));
	}
	t.data = drawData(r, programmer, t.to, fork);
	t.value = r.weighted([[5, 0n], [2, 1n], [2, BigInt(r.below(100000))], [r.oneIn(30) ? 5 : 0, 1n << 200n]]);
	t.maxFee = r.weighted([[4, baseFee], [6, baseFee + BigInt(r.below(20))], [2, 1000000000n], [r.oneIn(20) ? 4 : 0, baseFee - 1n]]);
	t.tip = r.weighted([[3, 0n], [5, BigInt(r.below(10))], [r.oneIn(30) ? 3 : 0, t.maxFee + 1n]]);
	if (t.type >= 2 && t.tip > t.maxFee && !r.oneIn(40)) t.tip = t.maxFee;
	t.gasLimit = drawGasLimit(r, t, fork);
	if (r.oneIn(60)) t.nonce = r.pick([t.nonce + 1n, t.nonce > 0n ? t.nonce - 1n : 5n, (1n << 64n) - 1n]);
	const cost = t.gasLimit * t.maxFee + t.value;
	/* (anvil's pool refuses a balance beyond 128 bits that is just enough) */
	const balance = r.oneIn(20) && cost < 1n << 128n ? cost - BigInt(r.below(2)) : 10n ** 24n;
	const code = fork !== "Cancun" && r.oneIn(6) ? delegation(r.weighted(addresses)) : undefined;
	world.set(toHex(eoas[0]), account(sender.nonce, balance, code));
	return t;
}

/** Recursion as deep as it goes, to 1024 where a transaction may have so much gas. */
function drawDeep(r, fork, drawn) {
	const code = [];
	const isCreate = r.oneIn(4);
	if (isCreate) /* code that copies itself and makes itself again */
		code.push(op.CODESIZE, op.PUSH0, op.PUSH0, op.CODECOPY, op.CODESIZE, op.PUSH0, op.PUSH0, op.CREATE, op.PUSH0, op.MSTORE, op.PUSH1, 32, op.PUSH0, op.RETURN);
	else
		code.push(op.PUSH0, op.PUSH0, op.PUSH0, op.PUSH0, op.PUSH0, op.ADDRESS, op.GAS, r.pick([op.CALL, op.CALL, op.CALLCODE]), op.GAS, op.ADD, op.PUSH0, op.MSTORE, op.PUSH1, 32, op.PUSH0, r.pick([op.RETURN, op.REVERT]));
	drawn.world.get(toHex(contractAddress(0))).code = toHex(Uint8Array.from(code));
	const t = { type: 2, nonce: 0n, accessList: [], authorizations: [], to: isCreate ? null : contractAddress(0), chainId, value: 0n, maxFee: baseFee, tip: 0n };
	t.data = isCreate ? Uint8Array.from(code) : new Uint8Array(0);
	t.gasLimit = fork === "Osaka" ? gasCap : r.oneIn(2) ? 1000000000000n : BigInt(r.between(100000, 29000000));
	drawn.world.set(toHex(eoas[0]), account(0, 10n ** 24n));
	return t;
}

/** Case `index` of `seed`: { world: Map address → account, raw, coinbase }. */
export function drawCase(seed, fork, index) {
	const r = new Rng(seed, { Cancun: 1, Prague: 2, Osaka: 3 }[fork], index);
	const drawn = drawWorld(r, fork);
	const t = r.oneIn(150) ? drawDeep(r, fork, drawn) : drawTransaction(r, fork, drawn);
	for (const [address, a] of drawn.world) /* an empty account can't be in a state (EIP-161) */
		if (a.nonce === "0x0" && a.balance === "0x0" && a.code === "0x") drawn.world.delete(address);
	return {
		world: drawn.world, raw: toHex(sign(t, keys[0])), sender: toHex(eoas[0]), coinbase: toHex(coinbase),
		emptyAuthorities: t.emptyAuthorities ?? 0,
	};
}
