// Four validators, four processes: they agree under load, a killed one does not stop
// them, two do until one is back, and nothing that had a receipt is gone after all
// were killed or lost power at once. Strangers and twins are refused.
//
//   WEFT_E2E_SEED   repeats the moments of the kills
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { Wallet } from "ethers";
import { Weftd, build, freshDirectory, request, run, skip, sleep, suite, test, until, weftdPath } from "./lib.mjs";
import { Load, Random } from "./load.mjs";
import { devChainId } from "./known.mjs";
import {
	Network, addresses, agree, basePort, block, checkEverywhere, height, hex, loadFor, metric, script, scriptEnv, seed,
	status, testnet,
} from "./testnet.mjs";

const shimPath = path.join(build, "test/shim/libweftshim.so");
const rollbackPath = path.join(build, "test/shim/shim-rollback");

/** How long agreement took: views and milliseconds between blocks, from `first` on. */
async function turns(node, first) {
	const last = await height(node);
	let late = 0, viewMax = 0, gapMax = 0, before;
	for (let h = first; h <= last; h++) {
		const [certificate, commitments] = (await node.batch([
			["weft_getCertificate", hex(h)], ["weft_getCommitments", hex(h)]])).map(({ result }) => result);
		const at = Number(commitments.timeMs), view = Number(certificate.view);
		late += view > 0;
		viewMax = Math.max(viewMax, view);
		if (before) gapMax = Math.max(gapMax, at - before);
		before = at;
	}
	return { count: last - first + 1, late, viewMax, gapMax };
}

// --- the cases ---

async function agreeUnderLoad(n, load) {
	await until("all are connected", async () =>
		(await Promise.all(n.nodes.map((node) => node.rpc("net_peerCount")))).every((count) => count === "0x3"));
	await loadFor(load, n.nodes[0], 5000);
	const top = await agree(n.nodes);
	await checkEverywhere(load, n.nodes);
	assert.ok(load.seen.size > 500, `${load.seen.size} receipts`);
	const balances = await Promise.all(n.nodes.map((node) => node.rpc("eth_getBalance", addresses[0], hex(top))));
	assert.equal(new Set(balances).size, 1);
	return `${load.seen.size} receipts in ${top} blocks`;
}

async function killOne(n, load) {
	const [first, , , victim] = n.nodes;
	await load.align(first);
	const from = await height(first);
	let killedAt;
	const plan = (async () => {
		await sleep(1000);
		await victim.end("SIGKILL");
		killedAt = await height(first);
		await until("eight blocks without the fourth", async () => await height(first) >= killedAt + 8, 30000);
	})();
	await load.run(first, plan);
	await plan;
	assert.ok(killedAt > from, "there was load before the kill");
	const { count, late, viewMax, gapMax } = await turns(first, killedAt + 1);
	await checkEverywhere(load, n.nodes.slice(0, 3));
	for (let h = killedAt + 3; h <= await height(first); h++)
		assert.notEqual((await block(first, h)).miner, n.names[3].toLowerCase(), "a dead validator makes no block");
	return `${count} blocks without it, ${late} by the next in turn, views up to ${viewMax}, ` +
		`${gapMax} ms between blocks at most`;
}

async function comeBack(n, load) {
	const [first, , , victim] = n.nodes;
	await victim.start();
	const missed = await height(first) - victim.wokeAt;
	const from = await height(first);
	await agree(n.nodes);
	await load.align(first);
	const proposes = until("a block by the one that came back", async () => {
		for (let h = from + 1; h <= await height(first); h++)
			if ((await block(first, h)).miner === n.names[3].toLowerCase()) return true;
		return false;
	}, 30000);
	await load.run(first, proposes);
	await proposes;
	await until("it has voted, and was seen", async () => {
		const mine = (await status(first)).validators.find(({ address }) =>
			address.toLowerCase() === n.names[3].toLowerCase());
		return mine.lastSeenMs !== null;
	});
	await checkEverywhere(load, n.nodes);
	return `it had missed ${missed} blocks`;
}

async function killTwo(n, load) {
	const [first, , third, fourth] = n.nodes;
	await Promise.all([third.end("SIGKILL"), fourth.end("SIGKILL")]);
	await sleep(500);
	const stuckAt = await height(first);
	await load.align(first);
	await load.run(first, sleep(2500));
	assert.ok(await height(first) <= stuckAt + 1, "two of four are no quorum");
	const said = await status(first);
	assert.match(said.phase, /preparing|committing|view-changing/, JSON.stringify(said));
	assert.match(said.reason, /^waits for/);
	assert.ok(Number(said.missingWeight) >= 1, JSON.stringify(said));
	for (const name of n.names.slice(2))
		assert.equal(said.validators.find(({ address }) => address.toLowerCase() === name.toLowerCase()).voted, false);
	const stopped = await height(first);
	await third.start();
	const goesOn = until("it goes on with three", async () => await height(first) > stopped + 3, 60000);
	await load.align(first);
	await load.run(first, goesOn);
	await goesOn;
	await fourth.start();
	await checkEverywhere(load, n.nodes);
	return `it said: ${said.reason}`;
}

/** All die at once under load, `rounds` times; `lose` is what else happens to them. */
async function killAll(n, load, random, rounds, lose) {
	const before = load.seen.size;
	for (let round = 0; round < rounds; round++) {
		const target = n.nodes[random.between(0, 3)];
		await load.align(target);
		const death = sleep(random.between(800, 2000)).then(() => n.end("SIGKILL"));
		await Promise.all([load.run(target), death]);
		await lose?.(round);
		await n.start();
		await until("the network goes on", async () => {
			await agree(n.nodes);
			return await height(n.nodes[0]) >= load.highest;
		}, 60000);
		for (const node of n.nodes) await load.checkSome(node, random, 300);
	}
	await checkEverywhere(load, n.nodes);
	const from = await height(n.nodes[1]);
	await loadFor(load, n.nodes[1], 1500);
	assert.ok(await height(n.nodes[1]) > from, "the network goes on");
	await checkEverywhere(load, n.nodes);
	assert.ok(load.seen.size > before + 100, "there was load to speak of");
	return `${rounds} times, seed ${seed}, ${load.seen.size - before} receipts`;
}

async function losePower(n, load, random) {
	const plain = n.nodes;
	await n.end();
	const journals = n.names.map((_, i) => path.join(n.dir, `node${i}/journal`));
	n.nodes = n.names.map((_, i) => {
		fs.mkdirSync(journals[i], { recursive: true });
		return n.node(i, { env: {
			LD_PRELOAD: shimPath, WEFT_SHIM_DIR: path.join(n.dir, `node${i}/data`), WEFT_SHIM_JOURNAL: journals[i],
			ASAN_OPTIONS: "verify_asan_link_order=0",
		} });
	});
	await n.start();
	await agree(n.nodes);
	const remark = await killAll(n, load, random, 2, async (round) => {
		for (let i = 0; i < 4; i++) {
			const how = round % 2 ? ["tear", String(random.between(1, 1e6))] : ["drop"];
			const { code, stderr } = await run(rollbackPath, [journals[i], path.join(n.dir, `node${i}/data`), ...how]);
			assert.equal(code, 0, stderr);
		}
	});
	await n.end();
	n.nodes = plain;
	await n.start();
	await checkEverywhere(load, n.nodes);
	return remark;
}

/** A node beside the network: its own directory and key. */
async function outsider(n, name, { genesis = path.join(n.dir, "genesis.json"), key, peer, more = [] }) {
	const dir = path.join(n.dir, name);
	const { code, stderr } = await run(weftdPath, ["init", "--datadir", dir, "--genesis", genesis]);
	assert.equal(code, 0, stderr);
	if (key) fs.writeFileSync(path.join(dir, "nodekey"), `${key.slice(2)}\n`, { mode: 0o600 });
	return new Weftd(["--datadir", dir, "--p2p-port", String(n.base + 104), "--peer", peer ?? n.endpoint(0), ...more]);
}

/** Starts `node` and waits until the network's first has counted `reason`. */
async function refused(n, node, reason) {
	const name = `p2p_refused_total{reason="${reason}"}`;
	const before = await metric(n.nodes[0], name);
	await node.start();
	await until(`a peer is refused: ${reason}`, async () => await metric(n.nodes[0], name) > before);
	assert.equal(await node.rpc("net_peerCount"), "0x0");
	assert.equal(await height(node), 0);
	assert.deepEqual(await node.end(), { code: 0, signal: null });
}

async function refuseStrangers(n) {
	await refused(n, await outsider(n, "stranger", {}), "not-allowed");
	const other = path.join(n.dir, "other-chain");
	const made = await run(weftdPath, ["init", "--datadir", other, "--chain-id", String(devChainId),
		"--new-validator", n.names[0]]);
	assert.equal(made.code, 0, made.stderr);
	await refused(n, await outsider(n, "elsewhere", { genesis: path.join(other, "genesis.json") }), "chain");
	/* The dialler finds somebody else than it was told. */
	const wrong = await outsider(n, "misled", { peer: `${Wallet.createRandom().address}@127.0.0.1:${n.base + 100}` });
	await wrong.start();
	await until("it refuses whom it finds", async () =>
		await metric(wrong, 'p2p_refused_total{reason="identity"}') + await metric(wrong, 'p2p_refused_total{reason="not-allowed"}') > 0);
	assert.equal(await wrong.rpc("net_peerCount"), "0x0");
	await wrong.end();
	await agree(n.nodes);
}

async function follow(n, load) {
	const key = Wallet.createRandom();
	const [first] = n.nodes;
	await first.end();
	first.args.push("--p2p-allow", key.address);
	await first.start();
	await agree(n.nodes);
	const full = await outsider(n, "full", { key: key.privateKey });
	await full.start();
	assert.equal(full.wokeAt, 0);
	await agree([...n.nodes, full]);
	assert.equal((await status(full)).phase, "observing");
	await loadFor(load, first, 1500);
	await checkEverywhere(load, [...n.nodes, full]);
	/* What it is given reaches the validators. */
	await loadFor(load, full, 1500);
	await checkEverywhere(load, [...n.nodes, full]);
	const readiness = await request(full.url, { method: "GET", path: "/readiness?minPeers=1" });
	assert.equal(readiness.status, 200, readiness.body);
	assert.deepEqual(await full.end(), { code: 0, signal: null });
	return `${await height(first)} blocks`;
}

/** A second node with validator 3's key, its own directory, the same peers. */
async function refuseTwin(n, load) {
	const twin = await outsider(n, "twin", {
		peer: n.endpoint(3),
		more: ["--peer", n.endpoint(0), "--validator", n.names[3], "--keystore", path.join(n.dir, "node3/keys/keystore"),
			"--password-file", path.join(n.dir, "node3/password")],
	});
	const counted = async () => (await Promise.all(["duplicate", "twin"].map((reason) =>
		metric(n.nodes[0], `p2p_refused_total{reason="${reason}"}`)))).reduce((a, b) => a + b);
	const before = await counted();
	await twin.start();
	const says = (line) => /event=(goodbye|refused) .*reason=twin|another node signs/.test(line);
	await until("a validator refuses the twin", async () => await counted() > before, 30000);
	await until("the twin says why", () => twin.lines.some(says), 30000).catch((error) => {
		throw new Error(`${error.message}; it says:\n${twin.lines.join("\n")}`);
	});
	/* The real one goes on as before. */
	const from = await height(n.nodes[0]);
	const proposes = until("a block by the real one", async () => {
		for (let h = from + 1; h <= await height(n.nodes[0]); h++)
			if ((await block(n.nodes[0], h)).miner === n.names[3].toLowerCase()) return true;
		return false;
	}, 60000);
	await load.align(n.nodes[0]);
	await load.run(n.nodes[0], proposes);
	await proposes;
	for (const node of n.nodes) assert.equal(node.child.exitCode, null, "no validator has ended");
	const said = twin.lines.find(says);
	await twin.end();
	await checkEverywhere(load, n.nodes);
	return said.replace(/.*event=/, "event=");
}

/** contrib/testnet as a person uses it. */
async function useScript() {
	const dir = path.join(freshDirectory("testnet"), "net");
	const base = String(await basePort());
	try {
		await testnet(["init", "-n", "4", "--base-port", base, dir]);
		assert.match(await testnet(["init", "--base-port", base, dir], 1), /not empty/);
		assert.match(await testnet(["status", dir], 1), /0 +validator +- +does not run/);
		assert.equal((await testnet(["up", dir])).match(/http:\/\//g).length, 4);
		assert.match(await testnet(["up", dir]), /node 3.*runs already/);
		assert.match(await testnet(["kill", "2", dir]), /node 2 killed/);
		assert.match(await testnet(["kill", "2", dir], 1), /does not run/);
		await testnet(["start", "2", dir]);
		assert.match(await testnet(["add", dir]), /node 4/);
		assert.match(await testnet(["load", "--seconds", "2", "--senders", "100", dir]), /all nodes agree/);
		assert.match(await testnet(["status", dir]), /4 +full +\d+ +\d+ +0x[0-9a-f]+ +0 +observing/);
		assert.match(await testnet(["stop", "0", dir]), /ended/);
		assert.match(await testnet(["down", dir]), /4 nodes ended/);
		assert.match(await testnet(["kill", "9", dir], 1), /there is no node 9/);
		assert.match(await testnet(["status", `${dir}-2`], 1), /holds no network/);
		assert.match(await testnet(["grow", dir], 2), /no command grow/);
		assert.match(await testnet(["--help"]), /contrib\/testnet init/);
		assert.equal(fs.statSync(path.join(dir, "node0/password")).mode & 0o777, 0o600);
	} finally {
		await run(script, ["down", dir], { env: scriptEnv });
	}
}

await suite("network", async () => {
	await test("network: contrib/testnet, from init to down", useScript);
	const n = await Network.make("network");
	const load = new Load(addresses);
	const random = new Random(seed);
	try {
		await n.start();
		await test("network: four validators agree under load", () => agreeUnderLoad(n, load));
		await test("network: one of four is killed under load: the others go on", () => killOne(n, load));
		await test("network: it comes back, catches up and makes blocks again", () => comeBack(n, load));
		await test("network: two of four are killed: it stops, says why, and goes on with three", () => killTwo(n, load));
		await test("network: all are killed at once under load: nothing that had a receipt is gone",
			() => killAll(n, load, random, 2));
		if (fs.existsSync(shimPath))
			await test("network: all lose power at once under load: nothing that had a receipt is gone",
				() => losePower(n, load, random));
		else skip("network: power losses", "there is no test/shim/libweftshim.so");
		await test("network: strangers and another chain's nodes are refused and counted", () => refuseStrangers(n));
		await test("network: a full node follows, and takes transfers", () => follow(n, load));
		await test("network: two nodes with one validator's key: refused, and said", () => refuseTwin(n, load));
		await test("network: the nodes end in order", async () => {
			for (const how of await n.end()) assert.deepEqual(how, { code: 0, signal: null });
		});
	} finally {
		load.close();
	}
});
