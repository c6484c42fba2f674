// weft's commands for contracts: deploy, call, send, logs against `weftd --dev`, and the ABI by
// hand with ethers' coder as the oracle, on types and values made at random (WEFT_E2E_SEED).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import {
	AbiCoder, Interface, JsonRpcProvider, concat, getAddress, getCreate2Address, getCreateAddress, hexlify, id,
	keccak256, toBeHex, toUtf8Bytes, zeroPadValue,
} from "ethers";
import { Weftd, artifact, artifactPath, freshDirectory, run, suite, test, until, weftPath } from "./lib.mjs";
import { deployerAddress, devPhrase } from "./known.mjs";

const dir = freshDirectory("cli-contracts");
const file = (name, text) => {
	const at = path.join(dir, name);
	fs.writeFileSync(at, text, { mode: 0o600 });
	return at;
};
const owner = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const friend = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const coder = AbiCoder.defaultAbiCoder();
const token = artifactPath("Token");
const faults = artifactPath("Faults");
const ledger = artifactPath("Ledger");
const keys = ["--keystore", path.join(dir, "keys"), "--password-file", file("password", "correct horse\n")];
const pays = ["--from", owner, ...keys];

/** Runs weft and expects how it ends and what it says: { stdout, stderr }. */
async function weft(args, code = 0, text = null) {
	const result = await run(weftPath, args);
	const said = result.stdout + result.stderr;
	assert.equal(result.signal, null, `${args.join(" ")} died of ${result.signal}: ${said}`);
	assert.equal(result.code, code, `${args.join(" ")}: ${said}`);
	if (text) assert.match(said, text);
	// Whatever was asked: nothing steers the terminal.
	// eslint-disable-next-line no-control-regex
	assert.doesNotMatch(said, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
	return result;
}
const weftJson = async (args, code = 0) => JSON.parse((await weft([...args, "--json"], code)).stdout);
const lines = async (args) => (await weft(args)).stdout.split("\n").slice(0, -1);

// --- types and values at random ---

let seed = BigInt(process.env.WEFT_E2E_SEED ?? 5);
function random(bound) {
	seed = (seed * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
	return Number((seed >> 33n) % BigInt(bound));
}
const pick = (list) => list[random(list.length)];
const randomBytes = (n) => hexlify(Uint8Array.from({ length: n }, () => random(256)));
const times = (n, fn) => Array.from({ length: n }, (_, i) => fn(i));

function randomType(depth) {
	const choice = depth === 0 ? 9 : random(9);
	if (choice === 0) return `tuple(${times(1 + random(3), () => randomType(depth - 1)).join(",")})`;
	if (choice === 1) return `${randomType(depth - 1)}[]`;
	if (choice === 2) return `${randomType(depth - 1)}[${1 + random(3)}]`;
	return pick(["uint256", "int256", `uint${8 * (1 + random(32))}`, `int${8 * (1 + random(32))}`, "address", "bool",
		"bytes", "string", `bytes${1 + random(32)}`]);
}

/** The types of "(a,(b,c)[],d)" or "a,(b,c)[],d". */
function split(text) {
	const parts = [];
	let depth = 0, start = 0;
	for (let i = 0; i < text.length; i++) {
		if (text[i] === "(") depth++;
		if (text[i] === ")") depth--;
		if (text[i] === "," && depth === 0) {
			parts.push(text.slice(start, i));
			start = i + 1;
		}
	}
	return [...parts, text.slice(start)];
}

function randomNumber(bits, isSigned) {
	const bound = 1n << BigInt(bits);
	const n = pick([0n, 1n, bound - 1n, bound >> 1n, (bound >> 1n) - 1n, BigInt(randomBytes(32)) % bound]);
	return isSigned ? BigInt.asIntN(bits, n) : n;
}

function randomText() {
	const characters = ["a", "Z", "0", " ", "\"", "\\", ",", "[", ")", "'", "é", "€", "😀", "\n", "\t", "\u001b", "\u009b", "\u202e", "\ufeff",
		"\u{e0041}"];
	return times(random(40), () => pick(characters)).join("");
}

/** { value: for ethers, word: for weft, json: what weft gives }. */
function randomValue(type, isNested) {
	const list = type.match(/^(.*)\[(\d*)\]$/s);
	if (list) return listOf("[]", times(list[2] ? Number(list[2]) : random(4), () => randomValue(list[1], true)));
	if (type.startsWith("tuple")) return listOf("()", split(type.slice(6, -1)).map((part) => randomValue(part, true)));
	if (type === "bool") {
		const value = random(2) === 1;
		return { value, word: String(value), json: value };
	}
	if (type === "string") {
		const value = randomText();
		return { value, word: isNested ? quoted(value) : value, json: value };
	}
	if (type === "address") {
		const value = getAddress(randomBytes(20));
		return { value, word: pick([value, value.toLowerCase()]), json: value };
	}
	if (type.startsWith("bytes")) {
		const value = randomBytes(type === "bytes" ? random(70) : Number(type.slice(5)));
		return { value, word: value, json: value };
	}
	const value = randomNumber(Number(type.match(/\d+/)[0]), type.startsWith("int"));
	const hex = value >= 0n ? `0x${value.toString(16)}` : `-0x${(-value).toString(16)}`;
	return { value, word: pick([String(value), hex]), json: String(value) };
}

function listOf([open, close], parts) {
	const blank = pick(["", " "]);
	return {
		value: parts.map(({ value }) => value),
		word: `${open}${parts.map(({ word }) => word).join(`,${blank}`)}${close}`,
		json: parts.map(({ json }) => json),
	};
}

const quoted = (text) => `"${text.replace(/["\\]/g, "\\$&").replace(/\n/g, pick(["\\n", "\n"]))}"`;

function randomCase() {
	const types = times(1 + random(4), () => randomType(3));
	const values = types.map((type) => randomValue(type, false));
	return { types, values, encoded: coder.encode(types, values.map(({ value }) => value)) };
}

function casesOfAbi() {
	return [
		["weft abi encode and ethers agree on random types", async () => {
			for (let i = 0; i < 300; i++) {
				const { types, values, encoded } = randomCase();
				const { stdout } = await weft(["abi", "encode", `(${types.join(",")})`, "--", ...values.map(({ word }) => word)]);
				assert.equal(stdout.trim(), encoded, `${types}: ${values.map(({ word }) => word).join(" ")}`);
			}
		}],
		["weft abi decode and ethers agree on random types", async () => {
			for (let i = 0; i < 300; i++) {
				const { types, values, encoded } = randomCase();
				const given = await weftJson(["abi", "decode", `f()(${types.join(",")})`, encoded]);
				assert.deepEqual(given.values.map(({ value }) => value), values.map(({ json }) => json), `${types}: ${encoded}`);
				await weft(["abi", "decode", `f(${types.join(",")})`, encoded]);
			}
		}],
		["what weft shows, it reads", async () => {
			for (let i = 0; i < 100; i++) {
				const { types, encoded } = randomCase();
				const type = `((${types.join(",")}))`, outer = coder.encode([`tuple(${types.join(",")})`], [coder.decode(types, encoded)]);
				const [shown] = await lines(["abi", "decode", type, outer]);
				assert.equal((await weft(["abi", "encode", type, shown])).stdout.trim(), outer, `${types}: ${shown}`);
			}
		}],
		["changed data is decoded as ethers does, or refused", async () => {
			for (let i = 0; i < 300; i++) {
				const { types, encoded } = randomCase();
				const bytes = Buffer.from(encoded.slice(2), "hex");
				for (let k = 0; k <= random(3); k++) bytes[random(bytes.length)] = pick([0, 1, 0x20, 0x40, 0xff]);
				const data = hexlify(bytes.subarray(0, bytes.length - pick([0, 0, 0, 1, 31, 32])));
				const result = await run(weftPath, ["abi", "decode", `f(${types.join(",")})`, data, "--json"]);
				assert.equal(result.signal, null, `${types} ${data}`);
				assert.ok(result.code === 0 || result.code === 3, `${types} ${data}: ${result.stderr}`);
				if (result.code !== 0) continue;
				// What is taken, ethers takes and reads the same (but bad UTF-8, which it refuses).
				let theirs;
				try {
					theirs = coder.encode(types, coder.decode(types, data));
				} catch {
					continue;
				}
				const ours = (await weft(["abi", "encode", `((${types.join(",")}))`,
					`(${(await lines(["abi", "decode", `f(${types.join(",")})`, data])).join(",")})`])).stdout.trim();
				assert.equal(ours, coder.encode([`tuple(${types.join(",")})`], [coder.decode(types, theirs)]), `${types} ${data}`);
			}
		}],
		["weft calldata and weft sig agree with ethers", async () => {
			const erc20 = new Interface(artifact("Token").abi);
			for (const { name, inputs, selector } of erc20.fragments.filter(({ type }) => type === "function")) {
				const signature = `${name}(${inputs.map((input) => input.type).join(",")})`;
				assert.equal((await weftJson(["sig", signature])).selector, selector);
			}
			for (const fragment of erc20.fragments.filter(({ type }) => type === "event"))
				assert.equal((await weftJson(["sig", fragment.format("full")])).topic, fragment.topicHash);
			const { stdout } = await weft(["calldata", "--abi", token, "transfer", friend, "1.5e18"]);
			assert.equal(stdout.trim(), erc20.encodeFunctionData("transfer", [friend, 1500000000000000000n]));
			assert.deepEqual(await lines(["abi", "decode", "--abi", token, "transfer", "--input", stdout.trim()]),
				[friend, "1500000000000000000"]);
		}],
	];
}

// --- a node ---

function casesOfContracts(state) {
	const rpc = (...args) => [...args, "--rpc", state.node.url];
	const provider = () => state.provider;
	const nonceOf = () => provider().getTransactionCount(owner);

	return [
		["weftd --dev runs, and its first account is imported", async () => {
			state.node = await new Weftd(["--dev"]).start();
			state.provider = new JsonRpcProvider(state.node.url, undefined, { cacheTimeout: -1 });
			await weft(["account", "import", "--mnemonic-file", file("phrase", `${devPhrase}\n`), "--lightkdf", ...keys], 0,
				new RegExp(owner));
		}],
		["deploy: an artifact, its constructor's arguments", async () => {
			const nonce = await nonceOf();
			const made = await weftJson(rpc("deploy", token, "My Token", "MTK", "1e24", "--wait", ...pays));
			assert.equal(made.contract, getCreateAddress({ from: owner, nonce }));
			assert.equal(made.status, "success");
			assert.equal((await state.node.rpc("eth_getTransactionReceipt", made.hash)).contractAddress, made.contract.toLowerCase());
			// Immutable values stand in it.
			assert.equal((await provider().getCode(made.contract)).length, artifact("Token").deployedBytecode.length);
			state.token = made.contract;
			await weft(rpc("deploy", faults, "true", "--wait", ...pays), 0, /contract +0x[0-9a-fA-F]{40}/);
			state.faults = getCreateAddress({ from: owner, nonce: nonce + 1 });
		}],
		["deploy: bare code, its types given", async () => {
			const { bytecode } = artifact("Token");
			const made = await weftJson(rpc("deploy", file("token.bin", `${bytecode.slice(2)}\n`), "From bytes", "B", "5",
				"--constructor", "constructor(string,string,uint256)", "--wait", ...pays));
			assert.deepEqual(await lines(rpc("call", made.contract, "name()(string)")), ["\"From bytes\""]);
			// As typed: PUSH0 PUSH0 RETURN makes an empty contract.
			assert.equal((await weftJson(rpc("deploy", "0x5f5ff3", "--wait", ...pays))).status, "success");
		}],
		["deploy: --salt, by the deterministic deployer", async () => {
			const args = ["Salted", "S", "7"];
			const code = concat([artifact("Token").bytecode, coder.encode(["string", "string", "uint256"], args)]);
			const address = getCreate2Address(deployerAddress, toBeHex(12, 32), keccak256(code));
			const made = await weftJson(rpc("deploy", token, ...args, "--salt", "12", "--wait", ...pays));
			assert.equal(made.contract, address);
			assert.equal(made.status, "success");
			assert.deepEqual(await lines(rpc("call", address, "--abi", token, "symbol")), ["\"S\""]);
			await weft(rpc("deploy", token, ...args, "--salt", toBeHex(12, 32), ...pays), 1, /it is there already/);
		}],
		["deploy: a constructor that fails is not sent, and says why", async () => {
			const nonce = await nonceOf();
			await weft(rpc("deploy", faults, "false", ...pays), 1, /execution reverted: "Faults: made to fail"/);
			assert.equal(await nonceOf(), nonce);
		}],
		["call: signatures, names, blocks, hexadecimal", async () => {
			assert.deepEqual(await lines(rpc("call", state.token, "balanceOf(address)(uint256)", owner)), [String(10n ** 24n)]);
			assert.deepEqual(await lines(rpc("call", state.token, "--abi", token, "balanceOf", owner)), [String(10n ** 24n)]);
			assert.deepEqual(await lines(rpc("call", state.token, "balanceOf(address)", owner)), [toBeHex(10n ** 24n, 32)]);
			assert.deepEqual(await lines(rpc("call", state.token, "decimals()(uint8)", "--raw")), [toBeHex(18, 32)]);
			assert.deepEqual(await lines(rpc("call", state.token, "--data", id("decimals()").slice(0, 10))), [toBeHex(18, 32)]);
			assert.deepEqual(await weftJson(rpc("call", state.token, "name()(string label)")),
				{ values: [{ name: "label", type: "string", value: "My Token" }] });
			assert.deepEqual(await weftJson(rpc("call", state.token, "name()(string)", "--raw")),
				{ data: coder.encode(["string"], ["My Token"]) });
			// Before it was there.
			await weft(rpc("call", state.token, "name()(string)", "--block", "0"), 1, /there is no contract at 0x/);
			await weft(rpc("call", friend, "name()(string)"), 1, new RegExp(`there is no contract at ${friend}`));
			const { hash } = await provider().getBlock("latest");
			assert.deepEqual(await lines(rpc("call", state.token, "symbol()(string)", "--block", hash)), ["\"MTK\""]);
		}],
		["call: an answer of other types is refused", async () => {
			await weft(rpc("call", state.token, "balanceOf(address)(bool)", owner), 3, /member 1: a bool is 0 or 1/);
			await weft(rpc("call", state.token, "balanceOf(address)(uint256,uint256)", owner), 3, /32 bytes/);
		}],
		["call: a revert says why, and ends with 1", async () => {
			const call = (...args) => rpc("call", state.faults, ...args);
			await weft(call("reason(uint256)(uint256)", "10"), 1, /execution reverted: "Faults: n is not below ten"/);
			await weft(call("silent()"), 1, /execution reverted: without a reason/);
			await weft(call("assertion()"), 1, /panic 0x1: an assertion failed/);
			await weft(call("overflow(uint256)(uint256)", String(2n ** 256n - 1n)), 1, /panic 0x11: a number over- or underflowed/);
			await weft(call("division(uint256)(uint256)", "0"), 1, /panic 0x12/);
			await weft(call("outside(uint256)(uint256)", "0"), 1, /panic 0x32/);
			await weft(call("plain()"), 1, new RegExp(`with data ${id("Plain()").slice(0, 10)} \\(--abi FILE`));
			await weft(call("--abi", faults, "plain"), 1, /execution reverted: Plain\(\)/);
			await weft(call("--abi", faults, "tooLow", "7", "--from", friend), 1,
				new RegExp(`TooLow\\(who: ${friend}, available: 1, needed: 7\\)`));
			await weft(call("--abi", faults, "caught", "7"), 1, /Nested\(detail: \(7, "tooLow"\), cause: 0x/);
			await weft(call("--abi", token, "plain()"), 1, /no error of the ABI/);
			const { reverted } = await weftJson(call("--abi", faults, "tooLow", "7", "--from", friend), 1);
			assert.equal(reverted.error, "TooLow(address,uint256,uint256)");
			assert.deepEqual(reverted.values.map(({ name, value }) => [name, value]), [["who", friend], ["available", "1"], ["needed", "7"]]);
			assert.equal(reverted.data.length, 2 + 8 + 3 * 64);
		}],
		["a contract's text can't steer the terminal", async () => {
			const name = "\u001b[2J\u009b31m\u202egpj \"\\ é\n";
			const { contract } = await weftJson(rpc("deploy", token, name, "X", "1", "--wait", ...pays));
			assert.deepEqual(await lines(rpc("call", contract, "name()(string)")),
				["\"\\u{1b}[2J\\u{9b}31m\\u{202e}gpj \\\"\\\\ é\\n\""]);
			assert.equal((await weftJson(rpc("call", contract, "name()(string)"))).values[0].value, name);
			// All it is called with comes back as a reason: PUSH CALLDATASIZE … REVERT.
			const echo = (await weftJson(rpc("deploy", "0x60078060095f395ff3365f5f37365ffd", "--wait", ...pays))).contract;
			await weft(rpc("call", echo, "Error(string)", name), 1, /"\\u\{1b\}\[2J\\u\{9b\}31m/);
			// Bytes that are no text at all.
			const data = concat([id("Error(string)").slice(0, 10), coder.encode(["bytes"], ["0x1b5bff9b"])]);
			await weft(rpc("call", echo, "--data", data), 1, /execution reverted: "\\u\{1b\}\[\\xff\\x9b"/);
			await weft(rpc("send", echo, "Error(string)", name, ...pays), 1, /"\\u\{1b\}\[2J\\u\{9b\}31m/);
		}],
		["send: a signature, a name, data", async () => {
			const balance = async () => BigInt((await lines(rpc("call", state.token, "balanceOf(address)(uint256)", friend)))[0]);
			const sent = await weftJson(rpc("send", state.token, "transfer(address,uint256)", friend, "1e18", "--wait", ...pays));
			assert.equal(sent.status, "success");
			assert.equal(sent.to, state.token);
			assert.equal(await balance(), 10n ** 18n);
			await weft(rpc("send", "--to", state.token, "--abi", token, "transfer", friend, "5", "--wait", ...pays), 0, /success/);
			assert.equal(await balance(), 10n ** 18n + 5n);
			const data = new Interface(artifact("Token").abi).encodeFunctionData("transfer", [friend, 7n]);
			await weft(rpc("send", state.token, "--data", data, "--wait", ...pays), 0, /success/);
			assert.equal(await balance(), 10n ** 18n + 12n);
			await weft(rpc("send", friend, "--value", "1wei", "--wait", ...pays), 0, /success/);
		}],
		["send: what would fail is not sent, and says why; past the estimate it fails", async () => {
			const nonce = await nonceOf();
			const transfer = ["send", state.token, "--abi", token, "transfer", friend, "1e30", ...pays];
			await weft(rpc(...transfer), 1, /ERC20InsufficientBalance\(sender: 0xf39F.*, balance: \d+, needed: 10{30}\)/);
			assert.equal(await nonceOf(), nonce);
			await weft(rpc(...transfer, "--gas", "100000", "--wait"), 1, /failed/);
			assert.equal(await nonceOf(), nonce + 1);
			await weft(rpc("send", state.token, "--abi", token, "transfer", friend, "1", "--value", "1", ...pays), 2, /takes no coins/);
		}],
	];
}

// --- logs ---

function casesOfLogs(state) {
	const rpc = (...args) => [...args, "--rpc", state.node.url];
	const transfer = "Transfer(address indexed from, address indexed to, uint256 value)";

	return [
		["logs: a token's, by its ABI and by a signature", async () => {
			const all = await weftJson(rpc("logs", "--address", state.token, "--abi", token));
			assert.deepEqual(all.logs.map(({ event }) => event.split("(")[0]),
				["OwnershipTransferred", "Transfer", "Transfer", "Transfer", "Transfer"]);
			assert.deepEqual(all.logs[2].values.map(({ name, value }) => [name, value]),
				[["from", owner], ["to", friend], ["value", String(10n ** 18n)]]);
			const text = await lines(rpc("logs", "--address", state.token, "--event", transfer, "any", friend));
			assert.deepEqual(text.filter((line) => line.includes(" value ")).map((line) => line.trim().split(/ +/)[1]),
				[String(10n ** 18n), "5", "7"]);
			assert.equal((await weftJson(rpc("logs", "--abi", token, "--event", "Transfer", friend))).logs.length, 0);
			const { logs } = await weftJson(rpc("logs", "--topic", id("Transfer(address,address,uint256)"), "--topic", "any",
				"--topic", zeroPadValue(friend, 32)));
			assert.equal(logs.length, 3);
			assert.equal(logs[0].event, undefined);
			await weft(rpc("logs", "--address", state.token, "--event", "Transfer(address,address,uint256)"), 0,
				/not decoded: the log has 2 indexed parameters, and the signature 0/);
		}],
		["logs: ranges", async () => {
			const block = Number((await state.node.rpc("eth_getTransactionReceipt",
				(await weftJson(rpc("send", state.token, "transfer(address,uint256)", friend, "9", "--wait", ...pays))).hash)).blockNumber);
			const count = async (...args) => (await weftJson(rpc("logs", "--address", state.token, ...args))).logs.length;
			assert.equal(await count("--from-block", String(block)), 1);
			assert.equal(await count("--from-block", `0x${block.toString(16)}`, "--to-block", String(block)), 1);
			assert.equal(await count("--to-block", String(block - 1)), 5);
			assert.equal(await count("--from-block", String(block + 1)), 0);
			assert.equal(await count("--from-block", "0", "--to-block", String(block + 1000000)), 6);
			await weft(rpc("logs", "--from-block", "5", "--to-block", "4"), 2, /behind/);
		}],
		["logs: events of every shape", async () => {
			const { contract } = await weftJson(rpc("deploy", ledger, "1", "--wait", ...pays));
			await weft(rpc("send", contract, "--abi", ledger, "shapes", "--wait", ...pays), 0, /success/);
			const { logs } = await weftJson(rpc("logs", "--address", contract, "--abi", ledger));
			assert.deepEqual(logs.map(({ event }) => event), ["Nothing()", "Hashed(string,uint256[],int8)", undefined]);
			assert.deepEqual(logs[1].values, [
				{ name: "text", type: "string", hash: id("hashed") },
				{ name: "numbers", type: "uint256[]", hash: keccak256(coder.encode(["uint256", "uint256"], [11, 22])) },
				{ name: "small", type: "int8", value: "-5" },
			]);
			for (const words of [["hashed"], ["any", "[11,22]"], ["hashed", "[11,22]"]])
				assert.equal((await weftJson(rpc("logs", "--abi", ledger, "--event", "Hashed", ...words))).logs.length, 1);
			assert.equal((await weftJson(rpc("logs", "--abi", ledger, "--event", "Hashed", "other"))).logs.length, 0);
			await weft(rpc("logs", "--abi", ledger, "--event", "Unnamed"), 3, /anonymous/);
		}],
		["logs --follow: each once, as they come", async () => {
			const follower = new Follower(rpc("logs", "--follow", "--json", "--address", state.token, "--abi", token));
			const old = new Follower(rpc("logs", "--follow", "--address", state.token, "--from-block", "0", "--abi", token));
			await until("what was", () => old.text.match(/value/g)?.length >= 5);
			for (const value of ["101", "102", "103"])
				await weft(rpc("send", state.token, "transfer(address,uint256)", friend, value, "--wait", ...pays), 0, /success/);
			await until("what comes", () => follower.text.split("\n").length > 3);
			const values = follower.text.trim().split("\n").map((line) => JSON.parse(line).values[2].value);
			assert.deepEqual(values, ["101", "102", "103"]);
			await until("what comes, here too", () => old.text.includes(" 103\n"));
			await follower.end();
			await old.end();
		}],
	];
}

const followers = [];

/** `weft logs --follow`, which does not end by itself. */
class Follower {
	constructor(args) {
		this.text = "";
		this.said = "";
		this.child = spawn(weftPath, args, { stdio: ["ignore", "pipe", "pipe"] });
		this.child.stdout.on("data", (text) => (this.text += text));
		this.child.stderr.on("data", (text) => (this.said += text));
		this.ended = new Promise((resolve) => this.child.on("close", (code, signal) => resolve({ code, signal })));
		followers.push(this);
	}

	end() {
		this.child.kill("SIGTERM");
		return this.ended;
	}
}

// --- other nodes ---

/** A node that bounds what is asked for, as public ones do, and may be away. */
class FakeNode {
	constructor(logs, head, rangeMax) {
		Object.assign(this, { logs, head, rangeMax, asked: [], heads: 0, isAway: false });
	}

	async start() {
		this.server = http.createServer((req, res) => {
			let text = "";
			req.on("data", (chunk) => (text += chunk));
			req.on("end", () => {
				if (this.isAway) return req.socket.destroy();
				const { id: number, method, params } = JSON.parse(text);
				const reply = { jsonrpc: "2.0", id: number, ...this.answer(method, params) };
				res.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(reply));
			});
		}).listen(0, "127.0.0.1");
		await until("a port", () => this.server.listening);
		this.server.unref();
		this.url = `http://127.0.0.1:${this.server.address().port}`;
		return this;
	}

	answer(method, [filter]) {
		if (method === "eth_blockNumber") {
			this.heads++;
			return { result: `0x${this.head.toString(16)}` };
		}
		if (method !== "eth_getLogs") return { error: { code: -32601, message: `no method ${method}` } };
		const from = Number(filter.fromBlock), to = Number(filter.toBlock);
		if (to > this.head) return { error: { code: -32602, message: "beyond the head" } };
		if (to - from >= this.rangeMax)
			return { error: { code: -32005, message: `query exceeds max block range ${this.rangeMax}` } };
		this.asked.push([from, to]);
		return { result: this.logs.filter(({ blockNumber }) => Number(blockNumber) >= from && Number(blockNumber) <= to) };
	}

	end() {
		this.server.closeAllConnections();
		this.server.close();
	}
}

const fakeLog = (block, value) => ({
	address: friend.toLowerCase(), topics: [id("E(uint256)")], data: toBeHex(value, 32), blockNumber: `0x${block.toString(16)}`,
	logIndex: "0x0", transactionHash: id(String(block)), transactionIndex: "0x0", blockHash: id("block"), removed: false,
});

function casesOfOtherNodes() {
	const logsOf = async (node, ...args) =>
		(await weftJson(["logs", "--event", "E(uint256 n)", "--rpc", node.url, ...args])).logs.map(({ values }) => values[0].value);

	return [
		["logs: a range that is refused is asked for in parts, each block once", async () => {
			const blocks = [0, 1, 63, 64, 65, 500, 998, 999];
			const node = await new FakeNode(blocks.map((block) => fakeLog(block, block)), 999, 100).start();
			assert.deepEqual(await logsOf(node), blocks.map(String));
			let next = 0;
			for (const [from, to] of node.asked) {
				assert.equal(from, next);
				next = to + 1;
			}
			assert.equal(next, 1000);
			assert.ok(node.asked.length <= 40, `${node.asked.length} parts`);
			assert.deepEqual(await logsOf(node, "--from-block", "64", "--to-block", "100000"), ["64", "65", "500", "998", "999"]);
			node.rangeMax = 0;
			await weft(["logs", "--rpc", node.url], 3, /max block range/);
			node.end();
		}],
		["logs --follow: a node that was away is caught up with", async () => {
			const node = await new FakeNode([fakeLog(5, 50)], 4, 100).start();
			const follower = new Follower(["logs", "--follow", "--to-block", "8", "--json", "--event", "E(uint256 n)", "--rpc", node.url]);
			await until("it follows", () => node.heads >= 2);
			node.head = 5;
			await until("block 5", () => follower.text.includes("\"50\""));
			node.isAway = true;
			await until("it says that the node is away", () => follower.said.includes("waiting for it"));
			node.logs.push(fakeLog(6, 60), fakeLog(8, 80), fakeLog(9, 90));
			node.head = 10;
			node.isAway = false;
			assert.deepEqual(await follower.ended, { code: 0, signal: null });
			assert.deepEqual(follower.text.trim().split("\n").map((line) => JSON.parse(line).values[0].value), ["50", "60", "80"]);
			node.end();
		}],
		["logs: answers that are none are refused", async () => {
			const node = await new FakeNode([{ ...fakeLog(1, 1), topics: ["0x12"] }], 5, 100).start();
			await weft(["logs", "--rpc", node.url], 1, /no log/);
			node.logs = [{ ...fakeLog(1, 1), data: "0x12" }];
			await weft(["logs", "--event", "E(uint256 n)", "--rpc", node.url], 0, /not decoded: the data, of 1 byte/);
			node.logs = [];
			node.answer = () => ({ error: { code: -32000, message: "\u001b[31mred\u009b" } });
			await weft(["logs", "--rpc", node.url], 3, /\\u\{1b\}\[31mred\\u\{9b\}/);
			node.end();
		}],
		["call: other nodes' ways to say that it reverted", async () => {
			const node = await new FakeNode([], 5, 100).start();
			const data = concat([id("Error(string)").slice(0, 10), coder.encode(["string"], ["why"])]);
			for (const error of [
				{ code: 3, message: "execution reverted: why", data },
				{ code: -32000, message: "execution reverted", data },
				{ code: 3, message: "reverted", data: { data } },
			]) {
				node.answer = () => ({ error });
				await weft(["call", friend, "f()", "--rpc", node.url], 1, /execution reverted: "why"/);
			}
			node.answer = () => ({ error: { code: -32000, message: "execution reverted" } });
			await weft(["call", friend, "f()", "--rpc", node.url], 1, /without a reason/);
			node.answer = () => ({ error: { code: -32000, message: "out of gas" } });
			await weft(["call", friend, "f()", "--rpc", node.url], 3, /out of gas/);
			for (const result of ["0x1", 5, null, "x"]) {
				node.answer = () => ({ result });
				await weft(["call", friend, "f()(uint256)", "--rpc", node.url], 1, /eth_call gives no data/);
			}
			node.end();
		}],
	];
}

await suite("cli_contracts", async () => {
	const state = {};
	const cases = [...casesOfAbi(), ...casesOfContracts(state), ...casesOfLogs(state), ...casesOfOtherNodes()];
	for (const [name, fn] of cases) await test(`cli_contracts: ${name}`, fn);
	state.provider?.destroy();
	// Whatever has failed, nothing goes on.
	for (const follower of followers) follower.child.kill("SIGKILL");
});
