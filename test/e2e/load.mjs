// load - transfers for the kill tests, and the memory of what was acknowledged: a
// transaction whose receipt was seen must never be gone again.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { batch, build, sleep } from "./lib.mjs";
import { devChainId } from "./known.mjs";

const batchSize = 50;
const inFlightMax = 2000;
const signedAheadMax = 20000;

/** A random generator that a seed repeats (xorshift32). */
export class Random {
	constructor(seed) {
		this.state = seed >>> 0 || 1;
	}

	/** A whole number in [low, high]. */
	between(low, high) {
		let s = this.state;
		s ^= s << 13;
		s ^= s >>> 17;
		s ^= s << 5;
		this.state = s >>> 0;
		return low + this.state % (high - low + 1);
	}
}

/** What was promised to be there is not. */
export class Loss extends Error {}

export class Load {
	/** `addresses`: of the ten senders. */
	constructor(addresses) {
		this.senders = addresses.map((address) => ({ address, waiting: [], nonce: 0, next: 0 }));
		this.seen = new Map(); // hash → { blockHash, height }, in the order in which they were seen
		this.lastRound = [];
		this.highest = 0;
		this.signer = spawn(path.join(build, "test/e2e/sign_load"), [String(devChainId)],
			{ stdio: ["ignore", "pipe", "inherit"] });
		this.signed = 0;
		this.reader = readline.createInterface({ input: this.signer.stdout });
		this.reader.on("line", (line) => {
			const [index, hash, raw] = line.split(" ");
			this.senders[index].waiting.push({ hash, raw });
			if (++this.signed >= signedAheadMax) this.reader.pause();
		});
	}

	close() {
		this.signer.kill();
	}

	/** Finds where each sender stands on the chain: what was lost unseen is sent again. */
	async align(node) {
		const replies = await node.batch(this.senders.map(({ address }) =>
			["eth_getTransactionCount", address, "latest"]));
		for (const [i, sender] of this.senders.entries()) {
			const mined = Number(replies[i].result) - sender.nonce;
			if (mined < 0) throw new Loss(`${sender.address} had nonce ${sender.nonce}, and has ${sender.nonce + mined}`);
			this.signed -= sender.waiting.splice(0, mined).length;
			sender.nonce += mined;
			sender.next = 0;
		}
		if (this.signed < signedAheadMax / 2) this.reader.resume();
	}

	/** Sends and watches until the node is gone, or `end` is kept. Errors that its end causes are none. */
	async run(node, end = node.ended) {
		const inFlight = new Set();
		let isOver = false;
		const over = Promise.race([node.ended, end]).then(() => (isOver = true));
		const tolerant = async (loop) => {
			while (!isOver)
				try {
					await loop();
				} catch (error) {
					if (error instanceof assert.AssertionError) throw error;
					await Promise.race([over, sleep(50)]);
				}
		};

		this.lastRound = [];
		await Promise.all([
			tolerant(() => this.#send(node, inFlight)),
			tolerant(() => this.#watch(node, inFlight)),
		]);
	}

	async #send(node, inFlight) {
		for (const sender of this.senders) {
			const some = sender.waiting.slice(sender.next, sender.next + batchSize);
			if (inFlight.size > inFlightMax || some.length === 0) {
				await sleep(2);
				continue;
			}
			sender.next += some.length;
			for (const { hash } of some) inFlight.add(hash);
			const replies = await batch(node.url, some.map(({ raw }) => ["eth_sendRawTransaction", raw]));
			// A block that was begun before the kill may come after align().
			const refused = replies.find(({ error }) => error && !/nonce too low|already known/.test(error.message));
			assert.ok(!refused, `the load is refused: ${JSON.stringify(refused?.error)}`);
		}
	}

	async #watch(node, inFlight) {
		const some = [...inFlight].slice(0, 4 * batchSize);
		if (some.length === 0) return sleep(2);
		const replies = await batch(node.url, some.map((hash) => ["eth_getTransactionReceipt", hash]));
		for (const [i, { result }] of replies.entries()) {
			if (!result) continue;
			inFlight.delete(some[i]);
			this.#acknowledge(some[i], result);
		}
	}

	#acknowledge(hash, receipt) {
		const height = Number(receipt.blockNumber);
		this.seen.set(hash, { blockHash: receipt.blockHash, height });
		this.lastRound.push(hash);
		this.highest = Math.max(this.highest, height);
	}

	/** Throws Loss unless all of `hashes` have the receipts that were seen. */
	async check(node, hashes) {
		for (let at = 0; at < hashes.length; at += 500) {
			const some = hashes.slice(at, at + 500);
			const replies = await node.batch(some.map((hash) => ["eth_getTransactionReceipt", hash]));
			for (const [i, { result }] of replies.entries()) {
				const promised = this.seen.get(some[i]);
				if (!result) throw new Loss(`${some[i]} had a receipt in block ${promised.height}, and has none`);
				if (result.blockHash !== promised.blockHash)
					throw new Loss(`${some[i]} is in another block: ${result.blockHash}, not ${promised.blockHash}`);
			}
		}
	}

	/** The last round's, and some of all. */
	async checkSome(node, random, count) {
		const all = [...this.seen.keys()];
		const sample = Array.from({ length: Math.min(count, all.length) }, () => all[random.between(0, all.length - 1)]);
		await this.check(node, [...this.lastRound, ...sample]);
	}

	/** Every receipt ever seen, and the chain that they stand in, link by link. */
	async checkAll(node) {
		await this.check(node, [...this.seen.keys()]);
		const tip = Number(await node.rpc("eth_blockNumber"));
		const hashes = [];
		for (let at = 0; at <= tip; at += 200) {
			const heights = Array.from({ length: Math.min(200, tip - at + 1) }, (_, i) => at + i);
			const replies = await node.batch(heights.map((h) => ["eth_getBlockByNumber", `0x${h.toString(16)}`, false]));
			for (const { result: b } of replies) {
				if (!b) throw new Loss(`block ${hashes.length} is missing below block ${tip}`);
				if (hashes.length) assert.equal(b.parentHash, hashes.at(-1), `block ${hashes.length}'s parent`);
				hashes.push(b.hash);
			}
		}
		for (const { height, blockHash } of this.seen.values()) assert.equal(hashes[height], blockHash);
		return tip;
	}
}
