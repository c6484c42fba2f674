// The leader dies, again and again: four validators under load, and whoever's turn it
// is gets SIGKILL at a random moment, or is cut off by a proxy between the processes.
// Never have two nodes different blocks at one height, never is a receipt gone, and
// the next block is final within the time-out and three message delays; how long it
// took is printed, and only a generous bound fails.
//
//   WEFT_LEADER_ROUNDS  kills, and as many cuts (default 100)
//   WEFT_E2E_SEED       repeats the moments
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { sleep, suite, test } from "./lib.mjs";
import { Load, Random } from "./load.mjs";
import { Proxies } from "./proxy.mjs";
import { Network, addresses, agree, checkEverywhere, height, hex, loadFor, seed, status } from "./testnet.mjs";

const rounds = Number(process.env.WEFT_LEADER_ROUNDS ?? 100);
const timeoutMs = 500, minIntervalMs = 100; // contrib/testnet keeps genesis' defaults
const patienceMs = 30000;
const caseSeconds = 120 + 20 * rounds;

/** Which block stands at each height, from whoever tells: one, for ever. */
class Heights {
	constructor() {
		this.hashes = new Map();
		this.heard = new Map(); // node → the height up to which it was heard
	}

	/** Everything that `node` has had since it was last heard, and a little before. */
	async hear(node) {
		const top = await height(node);
		const from = Math.max(0, (this.heard.get(node) ?? 0) - 2);
		for (let at = from; at <= top; at += 100) {
			const some = Array.from({ length: Math.min(100, top - at + 1) }, (_, i) => at + i);
			const replies = await node.batch(some.map((h) => ["eth_getBlockByNumber", hex(h), false]));
			for (const [i, { result }] of replies.entries()) {
				const known = this.hashes.get(some[i]);
				assert.ok(!known || known === result.hash, `two blocks at height ${some[i]}: ${known} and ${result.hash}`);
				this.hashes.set(some[i], result.hash);
			}
		}
		this.heard.set(node, top);
	}
}

/** Gaps in milliseconds. */
function describe(gaps) {
	const sorted = [...gaps].sort((a, b) => a - b);
	const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
	return `p50 ${at(0.5)}, p90 ${at(0.9)}, max ${at(1)} ms`;
}

/** Whose turn it is, as `node` sees it: its index. */
async function leader(n, node) {
	const { proposer } = await status(node);
	return n.names.findIndex((name) => name.toLowerCase() === proposer.toLowerCase());
}

/** Milliseconds until one of `nodes` has more than block `from`. */
async function nextBlock(nodes, from) {
	const start = performance.now();
	for (;;) {
		if ((await Promise.all(nodes.map(height))).some((top) => top > from)) return performance.now() - start;
		if (performance.now() - start > patienceMs) {
			const said = await Promise.all(nodes.map(status));
			throw new Error(`no block after ${from} in ${patienceMs} ms; they say: ${said.map(({ reason }) => reason).join("; ")}`);
		}
		await sleep(1);
	}
}

/** The view in which block `at` was agreed on, as whoever of `nodes` has it says. */
async function viewOf(nodes, at) {
	const found = (await Promise.all(nodes.map((node) => node.rpc("weft_getCertificate", hex(at))))).find(Boolean);
	return Number(found.view);
}

/**
 * Under load on a node by chance: at a random moment `strike(leader)` hits the leader;
 * how long the others then took to the next block, and in which view.
 */
async function round(n, load, random, strike) {
	const target = n.nodes[random.between(0, 3)];
	await load.align(target);
	let victim, struckAt;
	await load.run(target, sleep(random.between(60, 500)).then(async () => {
		victim = await leader(n, target);
		await strike(victim);
		struckAt = performance.now();
	}));
	const rest = n.nodes.filter((_, i) => i !== victim);
	const from = Math.max(...await Promise.all(rest.map(height)));
	/* What waits keeps them busy while it is counted anew what was mined. */
	const next = nextBlock(rest, from);
	const gap = next.then(() => performance.now() - struckAt);
	next.catch(() => {});
	await load.align(rest[0]);
	await load.run(rest[0], next);
	await next;
	return { victim, gap: await gap, view: await viewOf(rest, from + 1) };
}

async function checkRound(n, load, random, heights) {
	await agree(n.nodes);
	for (const node of n.nodes) await heights.hear(node);
	await load.checkSome(n.nodes[random.between(0, 3)], random, 200);
}

function report(kind, gaps, views, extra) {
	const late = views.filter((view) => view > 0).length;
	return `${gaps.length} ${kind}, seed ${seed}: to the next block ${describe(gaps)}; ${late} in a later view, ` +
		`up to view ${Math.max(...views)}; time-out ${timeoutMs} ms after a block is due, at most ${minIntervalMs} ms ` +
		`after the last${extra}`;
}

// --- kills ---

async function killLeaders(n, load, random) {
	const heights = new Heights(), gaps = [], views = [];
	const before = load.seen.size;
	for (let i = 0; i < rounds; i++) {
		const { victim, gap, view } = await round(n, load, random, (leading) => n.nodes[leading].end("SIGKILL"));
		gaps.push(gap);
		views.push(view);
		await n.nodes[victim].start();
		await checkRound(n, load, random, heights);
	}
	await checkEverywhere(load, n.nodes);
	assert.ok(load.seen.size > before + 20 * rounds, "there was load to speak of");
	const over = gaps.filter((gap) => gap > timeoutMs + minIntervalMs).map((gap) => gap - timeoutMs - minIntervalMs);
	return report("kills", gaps, views, `; ${over.length} gaps above that sum${over.length ? `, by ${describe(over)}` : ""}; ` +
		`${heights.hashes.size} heights, ${load.seen.size - before} receipts`);
}

// --- cuts ---

/** Each peer line leads to a port of the proxies. */
async function throughProxies(n) {
	const proxies = await new Proxies(4, (j) => n.base + 100 + j).start();
	for (let i = 0; i < 4; i++) {
		const file = path.join(n.dir, `node${i}/weftd.ini`);
		const text = fs.readFileSync(file, "utf8").replace(/(@127\.0\.0\.1:)(\d+)/g, (_, host, port) =>
			`${host}${proxies.ports[i][port - n.base - 100]}`);
		fs.writeFileSync(file, text);
	}
	return proxies;
}

const cuts = [
	{ name: "isolated", apply: (p, victim, rest) => p.cut([victim], rest) },
	{ name: "mute", apply: (p, victim, rest) => p.cut([victim], rest, "out") },
	{ name: "deaf", apply: (p, victim, rest) => p.cut([victim], rest, "in") },
	{ name: "one link", apply: (p, victim, rest, random) => p.cut([victim], [rest[random.between(0, 2)]]) },
];

async function cutLeaders(n, proxies, load, random) {
	const heights = new Heights(), gaps = [], views = [], counts = {};
	for (let i = 0; i < rounds; i++) {
		const { name, apply } = cuts[random.between(0, cuts.length - 1)];
		const { gap, view } = await round(n, load, random, async (victim) => {
			apply(proxies, victim, [0, 1, 2, 3].filter((j) => j !== victim), random);
		});
		gaps.push(gap);
		views.push(view);
		counts[name] = (counts[name] ?? 0) + 1;
		await sleep(random.between(0, 400));
		proxies.heal();
		await checkRound(n, load, random, heights);
	}
	await checkEverywhere(load, n.nodes);
	return report(`cuts (${Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ")})`, gaps, views,
		`; ${heights.hashes.size} heights`);
}

/** Neither half is a quorum: at most what was under way becomes final; healed, they go on. */
async function split(n, proxies, load, random) {
	const heights = new Heights(), gaps = [];
	const halves = [[[0, 1], [2, 3]], [[0, 2], [1, 3]], [[0, 3], [1, 2]]];
	for (const [some, others] of halves) {
		const target = n.nodes[random.between(0, 3)];
		await load.align(target);
		let top;
		await load.run(target, (async () => {
			await sleep(random.between(200, 500));
			proxies.cut(some, others);
			top = Math.max(...await Promise.all(n.nodes.map(height)));
			await sleep(random.between(1000, 2500));
		})());
		const tops = await Promise.all(n.nodes.map(height));
		assert.ok(Math.max(...tops) <= top + 1, `two of four made blocks: ${tops}, and ${top} before`);
		for (const node of n.nodes) await heights.hear(node);
		const healed = nextBlock(n.nodes, Math.max(...tops));
		healed.catch(() => {});
		proxies.heal();
		await load.align(n.nodes[0]);
		await load.run(n.nodes[0], healed);
		gaps.push(await healed);
		await checkRound(n, load, random, heights);
	}
	await checkEverywhere(load, n.nodes);
	return `${gaps.length} splits; healed, to the next block ${describe(gaps)}`;
}

/** 40 ms each way: slower, and no view is given up. */
async function slowLinks(n, proxies, load) {
	proxies.slow(40);
	await sleep(200); // what was under way without the delay
	const from = await height(n.nodes[0]);
	const start = performance.now();
	await loadFor(load, n.nodes[0], 4000);
	const top = await agree(n.nodes);
	const tookMs = performance.now() - start;
	proxies.heal();
	assert.ok(top > from + 5, `${top - from} blocks`);
	await checkEverywhere(load, n.nodes);
	return `40 ms each way: ${top - from} blocks, one in ${Math.round(tookMs / (top - from))} ms`;
}

await suite("leaders", async () => {
	const n = await Network.make("leaders");
	const load = new Load(addresses);
	const random = new Random(seed);
	let proxies;
	try {
		await n.start();
		await loadFor(load, n.nodes[0], 500);
		await test(`leaders: killed ${rounds} times under load: one chain, nothing lost, and it moves on`,
			() => killLeaders(n, load, random), caseSeconds);
		await n.end();
		proxies = await throughProxies(n);
		await n.start();
		await loadFor(load, n.nodes[0], 500);
		await test(`leaders: cut off ${rounds} times under load, both ways and one way`,
			() => cutLeaders(n, proxies, load, random), caseSeconds);
		await test("leaders: split two and two: it stops, and goes on when healed", () => split(n, proxies, load, random));
		await test("leaders: slow links", () => slowLinks(n, proxies, load));
		await test("leaders: the nodes end in order", async () => {
			for (const how of await n.end()) assert.deepEqual(how, { code: 0, signal: null });
		});
	} finally {
		proxies?.stop();
		load.close();
	}
});
