// evm_random - a generator that a seed repeats (sfc32), with the draws that programs need.

export class Rng {
	constructor(...seeds) {
		this.a = 0x9e3779b9;
		this.b = 0x243f6a88;
		this.c = 0xb7e15162;
		this.d = 1;
		for (const seed of seeds) {
			this.a ^= Number(seed) >>> 0;
			for (let i = 0; i < 12; i++) this.next();
		}
	}

	next() {
		const t = (this.a + this.b + this.d) | 0;
		this.d = (this.d + 1) | 0;
		this.a = this.b ^ (this.b >>> 9);
		this.b = (this.c + (this.c << 3)) | 0;
		this.c = ((this.c << 21) | (this.c >>> 11)) + t | 0;
		return t >>> 0;
	}

	/** A whole number in [0, n). */
	below(n) {
		return this.next() % n;
	}

	/** A whole number in [low, high]. */
	between(low, high) {
		return low + this.below(high - low + 1);
	}

	/** True once in `n` times. */
	oneIn(n) {
		return this.below(n) === 0;
	}

	pick(list) {
		return list[this.below(list.length)];
	}

	/** `choices`: [weight, value] … */
	weighted(choices) {
		let total = 0;
		for (const [weight] of choices) total += weight;
		let at = this.below(total);
		for (const [weight, value] of choices) if ((at -= weight) < 0) return value;
	}

	bytes(size) {
		const out = new Uint8Array(size);
		for (let i = 0; i < size; i++) out[i] = this.next();
		return out;
	}

	/** A 256-bit word of one of the shapes that arithmetic turns on. */
	word() {
		const top = (1n << 256n) - 1n;
		const bits = BigInt(this.below(256));
		switch (this.below(9)) {
		case 0: return BigInt(this.below(3));
		case 1: return BigInt(this.below(300));
		case 2: return top - BigInt(this.below(3));
		case 3: return 1n << bits;
		case 4: return (1n << bits) - 1n;
		case 5: return (1n << 255n) + BigInt(this.below(3)) - 1n;
		case 6: return top ^ ((1n << bits) - 1n);
		case 7: return bytesToNumber(this.bytes(this.between(1, 8)));
		default: return bytesToNumber(this.bytes(32));
		}
	}
}

export function bytesToNumber(bytes) {
	return bytes.length ? BigInt("0x" + Buffer.from(bytes).toString("hex")) : 0n;
}

/** Big-endian, in exactly `size` bytes. */
export function numberToBytes(n, size) {
	return Uint8Array.from(Buffer.from(n.toString(16).padStart(2 * size, "0").slice(-2 * size), "hex"));
}

export function concat(...parts) {
	return Uint8Array.from(Buffer.concat(parts));
}

export const toHex = (bytes) => "0x" + Buffer.from(bytes).toString("hex");
export const fromHex = (text) => Uint8Array.from(Buffer.from(text.replace(/^0x/, ""), "hex"));
