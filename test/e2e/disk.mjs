// A full disk: the node says so, refuses what it could not keep, still answers, and
// goes on when there is room again. A small tmpfs in a mount namespace of its own
// is the disk.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { HDNodeWallet, Mnemonic, Transaction } from "ethers";
import { Weftd, failure, freshDirectory, run, skip, sleep, suite, test, until } from "./lib.mjs";
import { Load } from "./load.mjs";
import { devChainId, devPhrase } from "./known.mjs";

const diskMib = 48;
const needsRestart = /No space left on device; make room .* then restart/;
const phrase = Mnemonic.fromPhrase(devPhrase);
const wallets = Array.from({ length: 10 }, (_, i) => HDNodeWallet.fromMnemonic(phrase, `m/44'/60'/0'/0/${i}`));

/** A namespace with a small disk at `dir`, for as long as its holder lives; null
 *  where the system does not let us. */
async function smallDisk(dir) {
	for (const flags of [["--mount"], ["--map-root-user", "--mount"]]) {
		const holder = spawn("unshare", [...flags, "sh", "-c",
			`mount -t tmpfs -o size=${diskMib}m weft-e2e "$0" && echo ready && exec sleep 3600`, dir],
		{ stdio: ["ignore", "pipe", "ignore"] });
		const isReady = await new Promise((resolve) => {
			holder.stdout.once("data", () => resolve(true));
			holder.on("error", () => resolve(false));
			holder.on("exit", () => resolve(false));
		});
		if (!isReady) continue;
		process.on("exit", () => holder.kill("SIGKILL"));
		const enter = ["nsenter", "--target", String(holder.pid), "--mount",
			...(flags.length > 1 ? ["--user", "--preserve-credentials"] : [])];
		return { holder, enter, path: dir };
	}
	return null;
}

const within = (disk, script) => run(disk.enter[0], [...disk.enter.slice(1), "sh", "-c", script, disk.path]);

/** Takes all room but `leave` KiB. */
async function fill(disk, leave = 0) {
	await within(disk, 'dd if=/dev/zero of="$0/filler" bs=64k 2>/dev/null; sync');
	if (leave) await within(disk, `truncate -s -${leave}K "$0/filler"`);
}

const free = (disk) => within(disk, 'rm -f "$0/filler"');

function transfer(wallet, nonce) {
	const t = Transaction.from({ type: 2, chainId: devChainId, nonce, to: wallets[9].address, value: 1n, gasLimit: 21000n,
		maxFeePerGas: 20_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n });
	t.signature = wallet.signingKey.sign(t.unsignedHash);
	return t.serialized;
}

/** Sends until the node refuses, or has ended: what it said. */
async function sendUntilRefused(node, wallet) {
	return until("a refusal", async () => {
		if (node.child.exitCode !== null) return "ended";
		try {
			const nonce = Number(await node.rpc("eth_getTransactionCount", wallet.address, "pending"));
			await node.rpc("eth_sendRawTransaction", transfer(wallet, nonce));
			return null;
		} catch (error) {
			return error.message;
		}
	}, 60000);
}

/** One transfer; false if it is not taken. */
async function sendOne(node, wallet) {
	try {
		const nonce = Number(await node.rpc("eth_getTransactionCount", wallet.address, "pending"));
		return await node.rpc("eth_sendRawTransaction", transfer(wallet, nonce));
	} catch {
		return false;
	}
}

async function loadFor(node, load, ms) {
	await load.align(node);
	const stopped = { url: node.url, ended: sleep(ms) };
	await load.run(stopped);
}

await suite("disk", async () => {
	const dir = freshDirectory("disk");
	const disk = await smallDisk(dir);
	if (!disk) {
		skip("disk: a full disk", "no mount namespace is to be had here");
		return;
	}
	const node = new Weftd(["--dev", "--datadir", path.join(dir, "chain"), "--cache-mb", "8"], { wrap: disk.enter });
	const load = new Load(wallets.map(({ address }) => address));
	const [first] = wallets;

	try {
		await node.start();
		await loadFor(node, load, 500);
		await test("disk: a node whose disk is full refuses transactions and says why", async () => {
			await fill(disk);
			const said = await sendUntilRefused(node, first);
			// LevelDB, when it is the first to find the disk full, does not go on by itself.
			if (said === "ended") {
				assert.match(node.lines.at(-1), needsRestart);
				return "it ended, and said so";
			}
			assert.match(said, /disk|space/i);
			await until("a line in the log", () => node.lines.find((line) => /level=(warn|error)/.test(line)));
			return said;
		});
		await test("disk: it still answers, and has all that had a receipt", async () => {
			if (node.child.exitCode !== null) {
				await free(disk);
				await node.start();
			}
			await load.check(node, [...load.seen.keys()]);
		});
		await test("disk: it goes on when there is room again", async () => {
			await free(disk);
			const count = load.seen.size;
			await until("it takes transactions", () => sendOne(node, first));
			await until("they are mined", async () => BigInt((await node.rpc("txpool_status")).pending) === 0n);
			await load.check(node, [...load.seen.keys()]);
			assert.equal(load.seen.size, count);
		});
		await test("disk: killed while the disk is full, nothing that had a receipt is gone", async () => {
			await fill(disk);
			await sendUntilRefused(node, first);
			await node.end("SIGKILL");
			await free(disk);
			await node.start();
			assert.ok(node.wokeAt >= load.highest);
			await load.check(node, [...load.seen.keys()]);
		});
		await test("disk: ended by SIGTERM while the disk is full, neither", async () => {
			await fill(disk);
			await sendUntilRefused(node, first);
			const { code, signal } = await node.end();
			assert.equal(signal, null, node.lines.slice(-5).join("\n"));
			assert.ok([0, 1].includes(code), String(code));
			await free(disk);
			await node.start();
			await load.check(node, [...load.seen.keys()]);
		});
		await test("disk: a disk that fills at any moment of the load", async () => {
			let restarts = 0;
			for (let round = 0; round < 6; round++) {
				await fill(disk, 64 << round);
				await load.align(node);
				const gone = { url: node.url, ended: Promise.race([node.ended, sleep(1500)]) };
				await failure(Promise.all([load.run(gone), gone.ended.then(() => { throw new Error("over"); })]));
				await free(disk);
				await until("it takes transactions", async () => {
					if (node.child.exitCode === 0) throw new Error("it ended as if all were well");
					if (node.child.exitCode !== null) {
						assert.match(node.lines.at(-1), needsRestart);
						await node.start();
						restarts++;
					}
					return sendOne(node, first);
				});
				await load.check(node, [...load.seen.keys()]);
			}
			assert.deepEqual(await node.end(), { code: 0, signal: null });
			return `${load.seen.size} receipts, restarted ${restarts} times`;
		});
	} finally {
		load.close();
		disk.holder.kill("SIGKILL");
	}
});
