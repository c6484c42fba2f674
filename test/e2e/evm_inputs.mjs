// evm_inputs - inputs for the precompiles: valid ones by arithmetic of their own, and the
// ways in which they are malformed. Slow and simple: affine points over whole numbers.
import { SigningKey } from "ethers";
import { concat, numberToBytes } from "./evm_random.mjs";

// --- fields and curves ---

const mod = (n, p) => ((n % p) + p) % p;

function invert(n, p) {
	let [r0, r1, s0, s1] = [p, mod(n, p), 0n, 1n];
	while (r1) {
		const q = r0 / r1;
		[r0, r1, s0, s1] = [r1, r0 - q * r1, s1, s0 - q * s1];
	}
	return mod(s0, p);
}

function power(n, e, p) {
	let out = 1n;
	for (n = mod(n, p); e; e >>= 1n, n = n * n % p) if (e & 1n) out = out * n % p;
	return out;
}

const primeField = (p) => ({
	add: (a, b) => mod(a + b, p),
	sub: (a, b) => mod(a - b, p),
	mul: (a, b) => mod(a * b, p),
	div: (a, b) => mod(a * invert(b, p), p),
	small: (n) => BigInt(n),
	equal: (a, b) => a === b,
	isZero: (a) => a === 0n,
});

/** Fp[i] with i² = -1. */
const squareField = (p) => ({
	add: (a, b) => [mod(a[0] + b[0], p), mod(a[1] + b[1], p)],
	sub: (a, b) => [mod(a[0] - b[0], p), mod(a[1] - b[1], p)],
	mul: (a, b) => [mod(a[0] * b[0] - a[1] * b[1], p), mod(a[0] * b[1] + a[1] * b[0], p)],
	div(a, b) {
		const norm = invert(b[0] * b[0] + b[1] * b[1], p);
		return this.mul(a, [mod(b[0] * norm, p), mod(-b[1] * norm, p)]);
	},
	small: (n) => [BigInt(n), 0n],
	equal: (a, b) => a[0] === b[0] && a[1] === b[1],
	isZero: (a) => a[0] === 0n && a[1] === 0n,
});

/** y² = x³ + ax + b; a point is [x, y], null the one at infinity. */
class Curve {
	constructor(field, a, generator) {
		Object.assign(this, { field, a, generator });
	}

	add(p, q) {
		const f = this.field;
		if (!p || !q) return p ?? q;
		let slope;
		if (f.equal(p[0], q[0])) {
			if (!f.equal(p[1], q[1]) || f.isZero(p[1])) return null;
			const square = f.mul(p[0], p[0]);
			slope = f.div(f.add(f.mul(f.small(3), square), this.a), f.add(p[1], p[1]));
		} else {
			slope = f.div(f.sub(q[1], p[1]), f.sub(q[0], p[0]));
		}
		const x = f.sub(f.sub(f.mul(slope, slope), p[0]), q[0]);
		return [x, f.sub(f.mul(slope, f.sub(p[0], x)), p[1])];
	}

	multiply(p, n) {
		let out = null;
		for (n = BigInt(n); n; n >>= 1n, p = this.add(p, p)) if (n & 1n) out = this.add(out, p);
		return out;
	}

	negate(p) {
		return p && [p[0], this.field.sub(this.field.small(0), p[1])];
	}
}

const bnPrime = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
export const bnOrder = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const g1 = new Curve(primeField(bnPrime), 0n, [1n, 2n]);
const g2 = new Curve(squareField(bnPrime), [0n, 0n], [
	[10857046999023057135944570762232829481370756359578518086990519993285655852781n,
		11559732032986387107991004021392285783925812861821192530917403151452391805634n],
	[8495653923123431417604973247489272438418190587263600148770280649306958101930n,
		4082367875863433681332203403145435568316851327593401208105741076214120093531n]]);

const p256Prime = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const p256Order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const p256 = new Curve(primeField(p256Prime), p256Prime - 3n, [
	0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
	0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n]);

const secpOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

// --- encodings ---

const word = (n) => numberToBytes(n, 32);
const encodeG1 = (p) => (p ? concat(word(p[0]), word(p[1])) : new Uint8Array(64));
const encodeG2 = (p) => (p
	? concat(word(p[0][1]), word(p[0][0]), word(p[1][1]), word(p[1][0])) : new Uint8Array(128));

const drawG1 = (r) => (r.oneIn(8) ? null : g1.multiply(g1.generator, r.between(1, 65535)));

/** A point of the twist that is, most likely, not in the subgroup of order n. */
function drawTwist() {
	const f = g2.field;
	const b = f.div([3n, 0n], [9n, 1n]);
	for (let x = 1n; ; x++) {
		const rhs = f.add(f.mul(f.mul([x, 1n], [x, 1n]), [x, 1n]), b);
		const norm = mod(rhs[0] * rhs[0] + rhs[1] * rhs[1], bnPrime);
		const s = power(norm, (bnPrime + 1n) / 4n, bnPrime);
		if (mod(s * s, bnPrime) !== norm) continue;
		for (const sign of [s, bnPrime - s]) {
			const half = mod((rhs[0] + sign) * invert(2n, bnPrime), bnPrime);
			const y0 = power(half, (bnPrime + 1n) / 4n, bnPrime);
			if (mod(y0 * y0, bnPrime) !== half || y0 === 0n) continue;
			const y = [y0, mod(rhs[1] * invert(2n * y0, bnPrime), bnPrime)];
			if (f.equal(f.mul(y, y), rhs)) return [[x, 1n], y];
		}
	}
}
const twistPoint = drawTwist();

// --- inputs, by the precompile's number ---

function ecrecover(r) {
	const hash = r.bytes(32);
	const key = new SigningKey(concat(new Uint8Array(28), r.bytes(3), Uint8Array.of(1)));
	const s = key.sign(hash);
	let [v, big_r, big_s] = [BigInt(s.v), BigInt(s.r), BigInt(s.s)];
	switch (r.below(8)) {
	case 0: v = r.pick([0n, 1n, 26n, 29n, 27n + 256n, 1n << 255n]); break;
	case 1: v = 55n - v; break;
	case 2: [v, big_s] = [55n - v, secpOrder - big_s]; break; /* high s is valid here */
	case 3: big_r = r.pick([0n, 1n, secpOrder, secpOrder - 1n, secpOrder + 1n, (1n << 256n) - 1n]); break;
	case 4: big_s = r.pick([0n, 1n, secpOrder, secpOrder - 1n, (1n << 256n) - 1n]); break;
	default:
	}
	return concat(r.oneIn(10) ? new Uint8Array(32) : hash, word(v), word(big_r), word(big_s));
}

/** Lengths near what makes it cheap, dear or refused. */
function modexp(r, fork) {
	const length = () => r.weighted([[8, r.below(5)], [8, 32], [4, r.between(30, 70)],
		[2, r.pick([255, 256, 257])], [1, r.pick([1023, 1024, 1025])], [1, r.between(0, 600)]]);
	let [b, e, m] = [length(), length(), length()];
	if (e > 64 && (b > 64 || m > 64)) e = r.below(40);
	const number = (size) => {
		const n = r.bytes(size);
		const shape = r.below(6);
		for (let i = 0; i < size; i++)
			if (shape === 0) n[i] = 0;
			else if (shape === 1) n[i] = 0xff;
			else if (shape === 2 && i < size - 1) n[i] = 0;
		return n;
	};
	const modulus = number(m);
	if (m && r.oneIn(3)) modulus[m - 1] &= 0xfe;
	const head = [b, e, m].map((size) => (r.oneIn(60)
		? r.pick([1n << 32n, (1n << 64n) - 1n, 1n << 64n, 1n << 255n, (1n << 256n) - 1n]) : BigInt(size)));
	if (fork === "Osaka" && r.oneIn(25)) head[r.below(3)] = BigInt(r.pick([1024, 1025]));
	return concat(...head.map(word), number(b), number(e), modulus);
}

function point(r) {
	const bytes = encodeG1(drawG1(r));
	switch (r.below(12)) {
	case 0: return encodeG1([bnPrime, 2n]);
	case 1: return encodeG1([1n, bnPrime + 2n]);
	case 2: return encodeG1([1n, 3n]);
	case 3: bytes[r.below(64)] ^= 1 << r.below(8); return bytes;
	case 4: return encodeG1([0n, bnPrime]);
	default: return bytes;
	}
}

function bnAdd(r) {
	const p = drawG1(r);
	if (r.oneIn(6)) return concat(encodeG1(p), encodeG1(r.oneIn(2) ? p : g1.negate(p)));
	return concat(point(r), point(r));
}

function bnMul(r) {
	return concat(point(r), word(r.oneIn(3) ? r.pick([bnOrder, bnOrder - 1n, bnOrder + 1n, bnPrime]) : r.word()));
}

function pairPoint(r, bytes) {
	switch (r.below(14)) {
	case 0: return encodeG2(twistPoint);
	case 1: return encodeG2([[bnPrime, 0n], [1n, 0n]]);
	case 2: bytes[r.below(128)] ^= 1 << r.below(8); return bytes;
	case 3: return encodeG2(null);
	default: return bytes;
	}
}

/** e(aP, Q) · e(-P, aQ) = 1, and pairs that do not cancel. */
function pairing(r) {
	const parts = [];
	const a = r.between(1, 300), b = r.between(1, 300);
	const p = g1.multiply(g1.generator, a), q = g2.multiply(g2.generator, b);
	switch (r.below(6)) {
	case 0: break;
	case 1: parts.push(point(r), pairPoint(r, encodeG2(q))); break;
	case 2: parts.push(encodeG1(p), encodeG2(null), encodeG1(null), encodeG2(q)); break;
	default:
		parts.push(encodeG1(p), encodeG2(q), encodeG1(g1.negate(g1.generator)),
			pairPoint(r, encodeG2(g2.multiply(q, r.oneIn(5) ? a + 1 : a))));
	}
	return concat(...parts);
}

function blake2f(r) {
	const rounds = numberToBytes(BigInt(r.oneIn(20) ? r.below(70000) : r.below(16)), 4);
	return concat(rounds, r.bytes(128), r.bytes(64), r.bytes(16), Uint8Array.of(r.oneIn(6) ? r.below(256) : r.below(2)));
}

/** EIP-7951: hash, r, s, x, y. From u1, u2 and Q: R = u1·G + u2·Q gives r, s = r/u2, h = u1·s. */
function p256verify(r) {
	const [d, u1, u2] = [r.between(1, 60000), r.oneIn(6) ? 0 : r.between(1, 60000), r.between(1, 60000)].map(BigInt);
	const q = p256.multiply(p256.generator, d);
	const point = p256.add(p256.multiply(p256.generator, u1), p256.multiply(q, u2));
	let big_r = mod(point[0], p256Order);
	let s = mod(big_r * invert(u2, p256Order), p256Order);
	let hash = mod(u1 * s, p256Order);
	let [x, y] = q;
	switch (r.below(14)) {
	case 0: big_r = r.pick([0n, p256Order, big_r + p256Order, p256Order - 1n, (1n << 256n) - 1n]); break;
	case 1: s = r.pick([0n, p256Order, p256Order - 1n, (1n << 256n) - 1n]); break;
	case 2: s = p256Order - s; break; /* both of them are valid */
	case 3: [x, y] = [0n, 0n]; break;
	case 4: [x, y] = r.pick([[x + p256Prime, y], [p256Prime, y], [x, p256Prime], [x, p256Prime - y], [y, x], [x, y ^ 1n]]); break;
	case 5: hash ^= 1n << BigInt(r.below(256)); break;
	case 6: if (hash + p256Order < 1n << 256n) hash += p256Order; break;
	case 7: hash = r.pick([0n, p256Order, (1n << 256n) - 1n]); break;
	default:
	}
	return concat(...[hash, big_r, s, x, y].map(word));
}

const makers = {
	1: ecrecover, 5: modexp, 6: bnAdd, 7: bnMul, 8: pairing, 9: blake2f, 0x100: p256verify,
};

/** An input for the precompile; cut, lengthened or changed once in a while. */
export function drawInput(r, number, fork) {
	const make = makers[number] ?? (() => r.bytes(r.oneIn(10) ? r.between(0, 2000) : r.between(0, 140)));
	let input = make(r, fork);
	switch (r.below(12)) {
	case 0: input = input.slice(0, r.below(input.length + 1)); break;
	case 1: input = concat(input, r.oneIn(2) ? r.bytes(r.between(1, 64)) : new Uint8Array(r.between(1, 64))); break;
	case 2: if (input.length) input[r.below(input.length)] ^= 1 << r.below(8); break;
	default:
	}
	return input;
}

