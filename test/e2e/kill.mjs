// Nothing that had a receipt is gone: after SIGKILL under load, and after power
// losses, for which a shim keeps only what was synced (test/shim).
//
//   WEFT_KILL_ROUNDS   SIGKILLs on one data directory (default 100)
//   WEFT_POWER_ROUNDS  power losses (default 24)
//   WEFT_E2E_SEED      repeats the moments of the kills
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { HDNodeWallet, Mnemonic } from "ethers";
import { Weftd, build, failure, freshDirectory, run, skip, sleep, suite, test } from "./lib.mjs";
import { Load, Loss, Random } from "./load.mjs";
import { devPhrase } from "./known.mjs";

const killRounds = Number(process.env.WEFT_KILL_ROUNDS ?? 100);
const powerRounds = Number(process.env.WEFT_POWER_ROUNDS ?? 24);
const seed = Number(process.env.WEFT_E2E_SEED ?? Date.now() % 1000000);
// A flush is due every 1,024 blocks; one life here makes some hundred.
const replayMax = 4096;
const shimPath = path.join(build, "test/shim/libweftshim.so");
const rollbackPath = path.join(build, "test/shim/shim-rollback");

const phrase = Mnemonic.fromPhrase(devPhrase);
const addresses = Array.from({ length: 10 }, (_, i) =>
	HDNodeWallet.fromMnemonic(phrase, `m/44'/60'/0'/0/${i}`).address);

/** One life: wake, check what was promised, take load, die. */
async function live(node, load, random) {
	await node.start();
	if (node.wokeAt < load.highest)
		throw new Loss(`block ${load.highest} had receipts, and the node woke at ${node.wokeAt}`);
	await load.checkSome(node, random, 300);
	await load.align(node);
	const death = sleep(random.between(200, 1000)).then(() => node.end("SIGKILL"));
	await Promise.all([load.run(node), death]);
}

/** Wakes a last time, checks everything, and the chain still takes transfers. */
async function finish(node, load, random) {
	const count = load.seen.size;
	await live(node, load, random);
	assert.ok(load.seen.size > count, "the chain goes on");
	await node.start();
	const tip = await load.checkAll(node);
	assert.deepEqual(await node.end(), { code: 0, signal: null });
	return tip;
}

async function killRepeatedly() {
	const random = new Random(seed);
	const node = new Weftd(["--dev", "--datadir", path.join(freshDirectory("kill"), "chain")]);
	const load = new Load(addresses);
	let replayed = 0, torn = 0;
	try {
		for (let round = 0; round < killRounds - 1; round++) {
			await live(node, load, random);
			const { replayed: now } = node.event("woke");
			assert.ok(now < replayMax, `${now} blocks are replayed: the flushes do not come after a kill`);
			replayed += Number(now);
			torn += Number(node.event("woke").torn_bytes);
		}
		const tip = await finish(node, load, random);
		const idle = load.seen.size / killRounds;
		assert.ok(idle > 10, `there was no load to speak of: ${idle} receipts a round`);
		return `seed ${seed}, ${load.seen.size} receipts in ${tip} blocks, ${replayed} blocks replayed, ` +
			`${torn} torn bytes cut off`;
	} finally {
		load.close();
	}
}

// --- power losses ---

/** A data directory under the shim: `lose` cuts the power. */
class Watched {
	constructor(name) {
		const dir = freshDirectory(name);
		this.chain = path.join(dir, "chain");
		this.journal = path.join(dir, "journal");
		fs.mkdirSync(this.chain);
		fs.mkdirSync(this.journal);
	}

	node(extra = {}) {
		return new Weftd(["--dev", "--datadir", this.chain], {
			env: {
				LD_PRELOAD: shimPath, WEFT_SHIM_DIR: this.chain, WEFT_SHIM_JOURNAL: this.journal,
				ASAN_OPTIONS: "verify_asan_link_order=0", ...extra,
			},
		});
	}

	async lose(...how) {
		const { code, stdout, stderr } = await run(rollbackPath, [this.journal, this.chain, ...how]);
		assert.equal(code, 0, stderr);
		return stdout;
	}
}

async function losePowerRepeatedly() {
	const random = new Random(seed + 1);
	const watched = new Watched("power");
	const load = new Load(addresses);
	const node = watched.node();
	try {
		for (let round = 0; round < powerRounds; round++) {
			await live(node, load, random);
			await watched.lose(...(round % 3 === 2 ? ["tear", String(random.between(1, 1e6))] : ["drop"]));
		}
		const tip = await finish(node, load, random);
		return `${powerRounds} times, seed ${seed}, ${load.seen.size} receipts in ${tip} blocks`;
	} finally {
		load.close();
	}
}

/** The same lives and checks, with an fsync that does nothing, must find a loss. */
async function loseWithoutSync() {
	const random = new Random(seed + 2);
	const watched = new Watched("nosync");
	const load = new Load(addresses);
	try {
		await live(watched.node(), load, random);
		await watched.lose("drop");
		const node = watched.node({ WEFT_SHIM_NOSYNC: "1" });
		const loss = await failure((async () => {
			for (let round = 0; round < 5; round++) {
				await live(node, load, random);
				await watched.lose("drop");
			}
			await finish(node, load, random);
		})());
		assert.ok(loss instanceof Loss || /weftd ended with/.test(loss.message), loss.stack);
		return loss.message.split("\n")[0];
	} finally {
		load.close();
	}
}

await suite("kill", async () => {
	await test(`kill: SIGKILL under load, ${killRounds} times: nothing that had a receipt is gone`, killRepeatedly, 900);
	if (!fs.existsSync(shimPath)) {
		skip("kill: power losses", "there is no test/shim/libweftshim.so");
		return;
	}
	await test("kill: power losses under load: nothing that had a receipt is gone", losePowerRepeatedly, 600);
	await test("kill: with fsync made a no-op the same test finds the loss", loseWithoutSync);
});
