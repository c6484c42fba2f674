// evm - the machine against another one: programs and transactions made at random run here
// (weft-statetest --post) and in anvil, at the same fork, on the same state, in the same
// block. Compared: whether it is executed at all, status, gas, output, logs, and every account
// with balance, nonce, code and storage.
//
//   WEFT_EVM_COUNT  cases for each of Cancun, Prague, Osaka (default 600, about 15 s)
//   WEFT_EVM_SEED   default 1; a failure names seed, fork and case
//   WEFT_EVM_CASE   only this one; with WEFT_EVM_FORK
//
// A case that differs stays as a file below BUILD_DIR/e2e/evm-differences, for
// `weft-statetest --trace`.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import zlib from "node:zlib";
import { batch, build, freshDirectory, rpc, run, skip, stopAll, suite, test } from "./lib.mjs";
import { baseFee, blockGasLimit, chainId, drawCase } from "./evm_case.mjs";

const count = Number(process.env.WEFT_EVM_COUNT ?? 600);
const seed = Number(process.env.WEFT_EVM_SEED ?? 1);
const only = process.env.WEFT_EVM_CASE;
const forks = (process.env.WEFT_EVM_FORK ?? "Cancun,Prague,Osaka").split(",");
const chunkSize = 200;
const differences = path.join(build, "e2e", "evm-differences");

/* npm has it for no other machine. Not the package "anvil": that is a script, which hides how
 * the program ends. */
const anvilPath = path.join(import.meta.dirname, "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");

class Anvil {
	async start(fork) {
		this.child = spawn(anvilPath, [
			"--hardfork", fork.toLowerCase(), "--chain-id", String(chainId), "--port", "0", "--accounts", "0",
			"--number", "1000", "--gas-limit", String(blockGasLimit), "--block-base-fee-per-gas", String(baseFee),
			"--no-mining", "--disable-min-priority-fee", "--enable-tx-gas-limit", "--disable-default-create2-deployer",
		], { stdio: ["ignore", "pipe", "inherit"] });
		const reader = readline.createInterface({ input: this.child.stdout });
		this.url = await new Promise((resolve, reject) => {
			reader.on("line", (line) => {
				const found = /^Listening on (.*)$/.exec(line);
				if (found) resolve(`http://${found[1]}`);
			});
			this.child.on("close", (code, signal) => reject(new Error(`anvil ended with ${signal ?? code}`)));
			this.child.on("error", reject);
		});
		this.snapshot = await this.rpc("evm_snapshot");
		return this;
	}

	rpc(method, ...params) {
		return rpc(this.url, method, ...params);
	}

	/** The results; the first error is thrown. */
	async batch(calls) {
		return (await batch(this.url, calls)).map((reply, i) => {
			if (reply.error) throw new Error(`anvil: ${calls[i][0]}: ${reply.error.message}`);
			return reply.result;
		});
	}

	async load(drawn) {
		const calls = [["anvil_setCoinbase", drawn.coinbase], ["anvil_setNextBlockBaseFeePerGas", "0x" + baseFee.toString(16)]];
		for (const [address, a] of drawn.world) {
			if (a.code !== "0x") calls.push(["anvil_setCode", address, a.code]);
			calls.push(["anvil_setNonce", address, a.nonce], ["anvil_setBalance", address, a.balance]);
			for (const [slot, value] of Object.entries(a.storage)) calls.push(["anvil_setStorageAt", address, slot, value]);
		}
		await this.batch(calls);
	}

	/** All accounts, as they are now. */
	async accounts() {
		const state = JSON.parse(zlib.gunzipSync(Buffer.from((await this.rpc("anvil_dumpState")).slice(2), "hex")));
		return state.accounts;
	}

	/** { refused } or { receipt, block, output, accounts }. */
	async execute(drawn) {
		let sent;
		try {
			sent = await this.rpc("eth_sendRawTransaction", drawn.raw);
		} catch (error) {
			return { refused: error.message };
		}
		await this.rpc("evm_mine");
		const [receipt, block] = await this.batch([["eth_getTransactionReceipt", sent], ["eth_getBlockByNumber", "latest", false]]);
		if (!receipt) { /* it waits, for its nonce */
			await this.rpc("anvil_dropAllTransactions");
			return { refused: "it waits" };
		}
		const trace = await this.rpc("debug_traceTransaction", sent, { tracer: "callTracer", tracerConfig: { onlyTopCall: true } });
		return { receipt, block, output: trace.output ?? "0x", accounts: await this.accounts() };
	}

	/** Runs one case, and goes back. */
	async run(drawn) {
		await this.load(drawn);
		try {
			return await this.execute(drawn);
		} finally {
			await this.rpc("evm_revert", this.snapshot);
			this.snapshot = await this.rpc("evm_snapshot");
		}
	}

	async end() {
		const ended = new Promise((resolve) => this.child.on("close", resolve));
		this.child.removeAllListeners("error");
		this.child.kill();
		await ended;
	}
}

// --- this side ---

/** A GeneralStateTests file's test; what becomes of it is not known. */
function stateTest(drawn, fork, block) {
	return {
		env: {
			currentNumber: block?.number ?? "0x3e9", currentTimestamp: block?.timestamp ?? "0x3e8",
			currentCoinbase: block?.miner ?? drawn.coinbase, currentGasLimit: block?.gasLimit ?? "0x" + blockGasLimit.toString(16),
			currentBaseFee: block?.baseFeePerGas ?? "0x" + baseFee.toString(16), currentRandom: block?.mixHash ?? "0x0",
			currentExcessBlobGas: "0x0",
		},
		pre: Object.fromEntries(drawn.world),
		post: { [fork]: [{ indexes: { data: 0, gas: 0, value: 0 }, txbytes: drawn.raw }] },
	};
}

async function runHere(tests, fork) {
	const file = path.join(freshDirectory("evm"), "cases.json");
	fs.writeFileSync(file, JSON.stringify(tests));
	const { code, signal, stdout, stderr } = await run(path.join(build, "weft-statetest"), ["--fork", fork, "--post", file]);
	const results = new Map();
	for (const line of stdout.split("\n")) {
		if (!line.startsWith("{")) continue;
		const result = JSON.parse(line);
		results.set(/: (.*), case 0$/.exec(result.name)[1], result);
	}
	if (code !== 0) console.error(`weft-statetest ended with ${signal ?? code}: ${stderr}`);
	return results;
}

// --- comparing ---

const systemContract = "0x0000f90827f1c53a10cb7a02335b175320002935"; /* EIP-2935: that side's own */
const quantity = (text) => BigInt(text === "0x" ? 0 : text);

/** One text an account, the same on both sides. */
function canonical(a, hasBalance) {
	const storage = Object.entries(a.storage ?? {}).map(([slot, value]) => [quantity(slot), quantity(value)])
		.filter(([, value]) => value).sort(([x], [y]) => (x < y ? -1 : 1))
		.map(([slot, value]) => `${slot.toString(16)}=${value.toString(16)}`);
	const code = a.code ?? "0x";
	const nonce = quantity(a.nonce), balance = hasBalance ? quantity(a.balance) : 0n;
	if (!nonce && !balance && code === "0x" && !storage.length) return null;
	return `nonce ${nonce} balance ${balance} code ${code} storage {${storage.join(" ")}}`;
}

function worldAfter(drawn, changed) {
	const after = new Map(drawn.world);
	for (const [address, a] of Object.entries(changed)) {
		const before = after.get(address);
		if (a) after.set(address, { ...a, code: a.code ?? before?.code ?? "0x", storage: { ...before?.storage, ...a.storage } });
		else after.delete(address);
	}
	return after;
}

/** `unpaid`: accounts whose balances are left out. */
function accountDifference(here, there, unpaid) {
	const texts = (entries) => new Map([...entries].map(([address, a]) => [address, canonical(a, !unpaid.includes(address))])
		.filter(([address, text]) => text && address !== systemContract));
	const [ours, theirs] = [texts(here), texts(there)];
	for (const address of new Set([...ours.keys(), ...theirs.keys()]))
		if (ours.get(address) !== theirs.get(address))
			return `${address}\n  here:  ${ours.get(address)}\n  anvil: ${theirs.get(address)}`;
	return null;
}

const logText = (logs) => JSON.stringify(logs.map(({ address, topics, data }) => [address, topics, data]));

/** Where anvil is not as the EIP has it. To it every account exists, so that it gives EIP-7702's
 *  refund for an authority that was empty, against "Add PER_EMPTY_ACCOUNT_COST -
 *  PER_AUTH_BASE_COST gas to the global refund counter if authority is not empty". Then gas used
 *  may be less there, and the balances that follow from it are not compared. */
function emptyAuthorityRefund(drawn, here, there) {
	const more = quantity(here.gasUsed) - quantity(there.receipt.gasUsed);
	return more > 0n && more <= 12500n * BigInt(drawn.emptyAuthorities);
}

/** The first difference, or null. */
function difference(drawn, here, there) {
	if (!here) return "weft-statetest gave nothing";
	if (here.differs) return here.differs;
	if (!!here.refused !== !!there.refused) return `refused here: ${here.refused}, anvil: ${there.refused}`;
	if (here.refused) return null;
	const isExcused = emptyAuthorityRefund(drawn, here, there);
	const pairs = [
		["status", here.success, there.receipt.status === "0x1"],
		["gas used", quantity(here.gasUsed), isExcused ? quantity(here.gasUsed) : quantity(there.receipt.gasUsed)],
		["output", here.output, there.output],
		["logs", logText(here.logs), logText(there.receipt.logs)],
	];
	for (const [what, ours, theirs] of pairs) if (ours !== theirs) return `${what} here: ${ours}, anvil: ${theirs}`;
	return accountDifference(worldAfter(drawn, here.accounts), Object.entries(there.accounts),
		isExcused ? [drawn.sender, drawn.coinbase] : []);
}

class Tally {
	refused = 0;
	succeeded = 0;
	failed = 0;
	missing = 0;
	gas = 0n;
	found = [];

	add(here) {
		if (here.refused) return this.refused++;
		this.gas += quantity(here.gasUsed);
		return here.success ? this.succeeded++ : this.failed++;
	}

	toString() {
		return `${this.succeeded} succeed, ${this.failed} fail, ${this.refused} refused, ` +
			`${this.missing} call KZG or BLS12-381, ${this.gas / 1000000n} Mgas`;
	}
}

function keep(tests, name, fork, what) {
	fs.mkdirSync(differences, { recursive: true });
	const file = path.join(differences, `${fork}-${seed}-${name}.json`);
	fs.writeFileSync(file, JSON.stringify({ [name]: tests[name] }, null, "\t"));
	console.error(`WEFT_EVM_SEED=${seed} WEFT_EVM_FORK=${fork} WEFT_EVM_CASE=${name} (${file}):\n  ${what}`);
}

async function runChunk(anvil, fork, first, end, tally) {
	const tests = {}, drawn = new Map(), there = new Map();
	for (let i = first; i < end; i++) {
		const one = drawCase(seed, fork, i);
		const result = await anvil.run(one);
		drawn.set(String(i), one);
		there.set(String(i), result);
		tests[i] = stateTest(one, fork, result.block);
	}
	const here = await runHere(tests, fork);
	for (const [name, one] of drawn) {
		const ours = here.get(name);
		const what = difference(one, ours, there.get(name));
		if (ours?.missing) tally.missing++; /* it does not exist here: named, not compared */
		else if (what) keep(tests, name, fork, what), tally.found.push(name);
		else tally.add(ours);
	}
}

async function compareAt(fork) {
	const tally = new Tally();
	const [first, end] = only === undefined ? [0, count] : [Number(only), Number(only) + 1];
	for (let at = first; at < end; at += chunkSize) {
		const anvil = await new Anvil().start(fork);
		try {
			await runChunk(anvil, fork, at, Math.min(at + chunkSize, end), tally);
		} finally {
			await anvil.end();
		}
	}
	if (tally.found.length) throw new Error(`${tally.found.length} of ${end - first} cases differ (${tally})`);
	return `${end - first} cases of seed ${seed}: ${tally}`;
}

await suite("evm", async () => {
	if (!fs.existsSync(anvilPath) && process.arch !== "x64") return skip("the machine against anvil", "npm has no anvil for this machine");
	for (const fork of forks) await test(`${fork}: as anvil has it`, () => compareAt(fork), 36000);
});
await stopAll();
