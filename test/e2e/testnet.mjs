// testnet - four validators of contrib/testnet as children of a test, and what is
// asked of them: shared by the tests of networks.
//
//   WEFT_E2E_SEED   repeats the moments of the kills
import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { HDNodeWallet, Mnemonic } from "ethers";
import { Weftd, build, freshDirectory, request, run, sleep, until } from "./lib.mjs";
import { devChainId, devPhrase } from "./known.mjs";

export const seed = Number(process.env.WEFT_E2E_SEED ?? Date.now() % 1000000);
export const script = path.join(process.env.WEFT_SOURCE, "contrib/testnet");
export const scriptEnv = { WEFT_TESTNET_BUILD: build };
export const addresses = Array.from({ length: 10 }, (_, i) =>
	HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(devPhrase), `m/44'/60'/0'/0/${i}`).address);
export const hex = (n) => `0x${n.toString(16)}`;

export async function testnet(args, code = 0) {
	const result = await run(script, args, { env: scriptEnv });
	assert.equal(result.code, code, result.stdout + result.stderr);
	return result.stdout + result.stderr;
}

async function isFree(port) {
	const server = net.createServer();
	return new Promise((done) => {
		server.once("error", () => done(false));
		server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
	});
}

/** A base port whose range, for so many nodes, is free. */
export async function basePort(nodeCount = 5) {
	for (let base = 20000 + (process.pid % 40) * 250; base < 60000; base += 250) {
		const ports = Array.from({ length: nodeCount }, (_, i) => [base + i, base + 100 + i]).flat();
		if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
	}
	throw new Error("no free ports");
}

/** What contrib/testnet made, with its processes as children of this test. */
export class Network {
	static async make(name) {
		const n = new Network();
		n.dir = path.join(freshDirectory(name), "net");
		n.base = await basePort();
		await testnet(["init", "--chain-id", String(devChainId), "--base-port", String(n.base), "--closed", n.dir]);
		n.names = [0, 1, 2, 3].map((i) => fs.readFileSync(path.join(n.dir, `node${i}/address`), "utf8").trim());
		n.nodes = n.names.map((_, i) => n.node(i));
		return n;
	}

	node(i, options = {}) {
		const cwd = path.join(this.dir, `node${i}`);
		return new Weftd(["--config", path.join(cwd, "weftd.ini")], { cwd, ...options });
	}

	async start() {
		await Promise.all(this.nodes.map((node) => node.start()));
	}

	async end(signal) {
		return Promise.all(this.nodes.map((node) => node.end(signal)));
	}

	endpoint(i) {
		return `${this.names[i]}@127.0.0.1:${this.base + 100 + i}`;
	}
}

export const height = async (node) => Number(await node.rpc("eth_blockNumber"));
export const block = (node, n) => node.rpc("eth_getBlockByNumber", n === "latest" ? n : hex(n), false);
export const status = (node) => node.rpc("weft_consensusStatus");

export async function metric(node, name) {
	const { body } = await request(node.url, { method: "GET", path: "/metrics" });
	const line = body.split("\n").find((text) => text.startsWith(`weftd_${name} `));
	assert.ok(line, `there is no metric ${name}`);
	return Number(line.split(" ").at(-1));
}

/** Waits until all have every block that any of them has now; the hash there. */
export async function agree(nodes) {
	const top = Math.max(...await Promise.all(nodes.map(height)));
	await until(`all nodes at ${top}`, async () =>
		(await Promise.all(nodes.map(height))).every((h) => h >= top), 60000);
	const blocks = await Promise.all(nodes.map((node) => block(node, top)));
	for (const b of blocks) {
		assert.equal(b.hash, blocks[0].hash, `the hash of block ${top}`);
		assert.equal(b.stateRoot, blocks[0].stateRoot);
	}
	return top;
}

/** Load for `ms`; then it stands still, and everyone has what was seen. */
export async function loadFor(load, node, ms) {
	await load.align(node);
	await load.run(node, sleep(ms));
}

/** What has been promised is everywhere. */
export async function checkEverywhere(load, nodes) {
	await agree(nodes);
	for (const node of nodes) await load.checkAll(node);
}
