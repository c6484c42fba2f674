// weftd and weft as programs: what they print and how they end, on good and bad
// input. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused data.
import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { JsonRpcProvider, Wallet, encryptKeystoreJson, formatEther, parseEther } from "ethers";
import { Weftd, freshDirectory, run, suite, test, until, weftPath, weftdPath } from "./lib.mjs";
import { deployerAddress, devPhrase } from "./known.mjs";

const dir = freshDirectory("programs");
const file = (name, text) => {
	const at = path.join(dir, name);
	fs.writeFileSync(at, text, { mode: 0o600 });
	return at;
};
const passwordFile = file("password", "correct horse\n");
const wrongPasswordFile = file("wrong-password", "battery staple\n");
const chainDir = path.join(dir, "chain");

/** Runs a program and expects how it ends and what it says there. */
async function expect(program, args, code, text, options = {}) {
	const result = await run(program, args, options);
	const said = result.stdout + result.stderr;
	assert.equal(result.signal, null, `${args.join(" ")} died of ${result.signal}: ${said}`);
	assert.equal(result.code, code, `${args.join(" ")}: ${said}`);
	if (text) assert.match(said, text);
	return result;
}

const weftd = (args, code, text, options) => expect(weftdPath, args, code, text, options);
const weft = (args, code, text, options) => expect(weftPath, args, code, text, options);
const weftJson = async (args) => JSON.parse((await weft([...args, "--json"], 0)).stdout);

async function newAccount(datadir) {
	const { address } = await weftJson(["account", "new", "--datadir", datadir, "--lightkdf",
		"--password-file", passwordFile]);
	assert.match(address, /^0x[0-9a-fA-F]{40}$/);
	return address;
}

/** A genesis file with all that is needed, and `change` applied to it. */
function genesisWith(validator, change = () => {}) {
	const genesis = {
		config: { chainId: 7002, osakaTime: 0 },
		timestamp: "0x0", gasLimit: "0xe4e1c00",
		alloc: { [validator]: { balance: "0x3635c9adc5dea00000" } },
		weft: { validators: [{ address: validator, weight: 1 }], heartbeatMs: 1000 },
	};
	change(genesis);
	return genesis;
}

function usageCases() {
	return [
		["--help of weftd shows all options", async () => {
			const { stdout } = await weftd(["--help"], 0, /--password-file/);
			for (const word of ["init", "--dev", "--datadir", "--http-port", "Exit codes"]) assert.ok(stdout.includes(word), word);
		}],
		["--version names release, protocol and database", () =>
			weftd(["--version"], 0, /^weftd \d+\.\d+\.\d+ \(protocol \d+, database \d+\)/)],
		["--help and --version of weft", async () => {
			await weft(["--help"], 0, /account new/);
			await weft(["--version"], 0, /^weft \d+\.\d+\.\d+/);
		}],
		["an unknown option is wrong usage", () => weftd(["--nothing"], 2, /--nothing/)],
		["an unknown command is wrong usage", () => weftd(["run"], 2, /run/)],
		["an option without its value is wrong usage", () => weftd(["--http-port"], 2, /http-port/)],
		["a port that is none is wrong usage", async () => {
			for (const port of ["65536", "-1", "http", ""]) await weftd(["--dev", "--http-port", port], 2, /http-port/);
		}],
		["an option given twice is wrong usage", () => weftd(["--dev", "--dev"], 2, /dev/)],
		["--dev with --validator contradicts itself", () =>
			weftd(["--dev", "--validator", Wallet.createRandom().address], 2, /--validator/)],
		["an address that is none is wrong usage", () =>
			weftd(["init", "--datadir", path.join(dir, "none"), "--new-validator", "0x12"], 2, /0x12/)],
		["a log level that is none is wrong usage", () => weftd(["--dev", "--log-level", "loud"], 2, /loud|log-level/)],
		["weft without a node says how to start one", () =>
			weft(["status", "--rpc", "http://127.0.0.1:1"], 1, /weftd/)],
	];
}

function initCases(state) {
	const fresh = (name) => path.join(dir, name);

	return [
		["a data directory is not made by accident", () =>
			weftd(["--datadir", fresh("never")], 1, /holds no chain: make one with weftd init/)],
		["accounts are made and listed", async () => {
			state.validator = await newAccount(chainDir);
			state.rich = await newAccount(chainDir);
			const { stdout } = await weft(["account", "list", "--datadir", chainDir], 0);
			assert.deepEqual(stdout.trim().split("\n").sort(), [state.validator, state.rich].sort());
			for (const name of fs.readdirSync(path.join(chainDir, "keystore"))) {
				const { mode } = fs.statSync(path.join(chainDir, "keystore", name));
				assert.equal(mode & 0o777, 0o600);
			}
		}],
		["init makes a chain from flags", async () => {
			await weftd(["init", "--datadir", chainDir, "--chain-id", "7001", "--new-validator", state.validator,
				"--fund", `${state.rich}=5000`, "--fund", `${state.validator}=1`], 0, /chain 7001/);
		}],
		["init refuses a directory that has a chain", () =>
			weftd(["init", "--datadir", chainDir, "--new-validator", state.validator], 3, /has a chain already/)],
		["init goes on where another was cut off", async () => {
			const dir = fresh("cut-off");
			await weftd(["init", "--datadir", dir, "--new-validator", state.validator], 0);
			for (const name of ["VERSION", "chain", "log"])
				fs.rmSync(path.join(dir, name), { recursive: true });
			await weftd(["init", "--datadir", dir, "--new-validator", state.rich], 3, /says something else/);
			await weftd(["init", "--datadir", dir, "--genesis", path.join(dir, "genesis.json")], 0);
		}],
		["init needs a validator", () => weftd(["init", "--datadir", fresh("empty")], 2, /--new-validator/)],
		["init refuses a validator given twice", () =>
			weftd(["init", "--datadir", fresh("twice"), "--new-validator", state.validator,
				"--new-validator", state.validator], 3, /twice/)],
		["init refuses sums without a number", () =>
			weftd(["init", "--datadir", fresh("fund"), "--new-validator", state.validator,
				"--fund", `${state.rich}=many`], 2, /many/)],
		["init makes a chain from a file, the same one each time", async () => {
			const genesis = file("genesis.json", JSON.stringify(genesisWith(state.validator)));
			for (const name of ["from-file", "from-file-again"])
				await weftd(["init", "--datadir", fresh(name), "--genesis", genesis], 0, /chain 7002/);
			const hashes = [];
			for (const name of ["from-file", "from-file-again"]) {
				const node = await new Weftd(["--datadir", fresh(name)]).start();
				hashes.push((await node.rpc("eth_getBlockByNumber", "0x0", false)).hash);
				assert.equal(await node.rpc("eth_chainId"), "0x1b5a");
				assert.deepEqual(await node.end(), { code: 0, signal: null });
			}
			assert.equal(hashes[0], hashes[1]);
		}],
		["init leaves the deterministic deployer out, if asked to", async () => {
			const allocOf = (name) => Object.keys(JSON.parse(fs.readFileSync(path.join(fresh(name), "genesis.json"))).alloc);
			const init = ["--new-validator", state.validator];
			await weftd(["init", "--datadir", fresh("with"), ...init], 0);
			await weftd(["init", "--datadir", fresh("without"), ...init, "--no-deployer"], 0);
			const deployer = deployerAddress.toLowerCase();
			assert.deepEqual(allocOf("with").filter((address) => !allocOf("without").includes(address)), [deployer]);
			await weftd(["init", "--datadir", fresh("other"), "--genesis", path.join(fresh("with"), "genesis.json"),
				"--no-deployer"], 2, /--no-deployer/);
			await weftd(["--datadir", fresh("with"), "--no-deployer"], 2, /--no-deployer/);
			const node = await new Weftd(["--dev", "--no-deployer"]).start();
			assert.equal(await node.rpc("eth_getCode", deployer), "0x");
			await node.end();
		}],
		["init takes the file that another init wrote", async () => {
			await weftd(["init", "--datadir", fresh("copy"), "--genesis", path.join(chainDir, "genesis.json")], 0, /7001/);
		}],
	];
}

/** Genesis files that are wrong or contradict themselves, and what must be said. */
function badGenesisCases(state) {
	const changed = (change) => () => JSON.stringify(genesisWith(state.validator, change));
	const other = Wallet.createRandom().address;
	const cases = [
		["not JSON", () => "{", /genesis/],
		["a list", () => "[]", /genesis|object/],
		["empty", () => "", /./],
		["no chain id", changed((g) => delete g.config.chainId), /chainId/],
		["a chain id of 0", changed((g) => (g.config.chainId = 0)), /chainId/],
		["no revision", changed((g) => delete g.config.osakaTime), /Time|revision/],
		["a fork in the future", changed((g) => (g.config.osakaTime = 1700000000)), /osakaTime/],
		["no validators", changed((g) => (g.weft.validators = [])), /validator/],
		["no weft object", changed((g) => delete g.weft), /weft/],
		["a validator twice", changed((g) => g.weft.validators.push(g.weft.validators[0])), /twice/],
		["a weight of 0", changed((g) => (g.weft.validators[0].weight = 0)), /weight/],
		["a misspelt parameter", changed((g) => (g.weft.heartBeatMs = 5)), /heartBeatMs/],
		["a misspelt member of an account", changed((g) => (g.alloc[other] = { balances: "0x1" })), /balances/],
		["a base fee below its floor", changed((g) => {
			g.baseFeePerGas = "0x1";
			g.weft.baseFeeFloor = "0x3b9aca00";
		}), /[bB]ase ?[fF]ee/],
		["two times that differ", changed((g) => {
			g.timestamp = "0x10";
			g.weft.timeMs = 5;
		}), /time/i],
		["a gas limit beyond all bounds", changed((g) => (g.gasLimit = "0xffffffffffffffff")), /gasLimit/],
		["an account twice", (() => () => JSON.stringify(genesisWith(state.validator)).replace('"alloc":{',
			`"alloc":{"${state.validator.toLowerCase().slice(2)}":{"balance":"0x1"},`)), /twice|duplicate/],
		["a balance of more than all coins", changed((g) =>
			(g.alloc[other] = { balance: `0x${"f".repeat(64)}` })), /balance/],
		["the native contract's address", changed((g) =>
			(g.alloc["0x0000000000000000000000000000000000574501"] = { balance: "0x1" })), /native contract/],
		["an address that is too short", changed((g) => (g.alloc["0x1234"] = { balance: "0x1" })), /1234/],
	];
	return cases.map(([name, text, said], i) => [`init refuses a genesis with: ${name}`, async () => {
		const at = path.join(dir, `bad-${i}`);
		const made = text();
		await weftd(["init", "--datadir", at, "--genesis", file(`bad-${i}.json`, typeof made === "function" ? made() : made)],
			3, said);
		assert.ok(!fs.existsSync(path.join(at, "VERSION")), "nothing was made");
	}]);
}

function startCases(state) {
	const start = (...args) => ["--datadir", chainDir, "--http-port", "0", ...args];
	const asValidator = (...args) => start("--validator", state.validator, ...args);

	return [
		["a missing password is asked for, and without a terminal refused", () =>
			weftd(asValidator(), 2, /password/i)],
		["a wrong password is refused", async () => {
			await weftd(asValidator("--password-file", wrongPasswordFile), 3, /wrong password/);
			await weftd(asValidator(), 3, /wrong password/, { env: { WEFT_PASSWORD: "wrong" } });
		}],
		["a password file that is not there is named", () =>
			weftd(asValidator("--password-file", path.join(dir, "nothing")), 1, /nothing/)],
		["a validator whose key is not there is named", async () => {
			const { address } = Wallet.createRandom();
			const { stdout, stderr, code } = await run(weftdPath, start("--validator", address, "--password-file", passwordFile));
			assert.ok([1, 3].includes(code), String(code));
			assert.match(stdout + stderr, new RegExp(address.slice(2), "i"));
		}],
		["a key that is no validator's follows the chain, and says that it waits", async () => {
			const node = await new Weftd(["--datadir", chainDir, "--validator", state.rich, "--password-file", passwordFile]).start();
			assert.equal(node.event("waiting").validator, state.rich.toLowerCase());
			assert.equal((await node.rpc("weft_consensusStatus")).phase, "passive");
			assert.deepEqual(await node.end(), { code: 0, signal: null });
		}],
		["another chain's genesis file is refused", async () => {
			const mixed = path.join(dir, "mixed");
			fs.cpSync(chainDir, mixed, { recursive: true });
			fs.copyFileSync(path.join(dir, "genesis.json"), path.join(mixed, "genesis.json"));
			await weftd(["--datadir", mixed, "--http-port", "0"], 3, /holds the chain of genesis/);
		}],
		["another version's data is refused", async () => {
			const old = path.join(dir, "old");
			fs.cpSync(chainDir, old, { recursive: true });
			const at = path.join(old, "VERSION");
			fs.writeFileSync(at, fs.readFileSync(at, "utf8").replace(/database \d+/, "database 999"));
			await weftd(["--datadir", old, "--http-port", "0"], 3, /999/);
		}],
		["a changed genesis file is found out", async () => {
			const changed = path.join(dir, "changed");
			fs.cpSync(chainDir, changed, { recursive: true });
			const at = path.join(changed, "genesis.json");
			const genesis = JSON.parse(fs.readFileSync(at, "utf8"));
			genesis.weft.heartbeatMs += 1;
			fs.writeFileSync(at, JSON.stringify(genesis));
			await weftd(["--datadir", changed, "--http-port", "0"], 3, /genesis/);
		}],
		["the password comes from the environment, too", async () => {
			const node = await new Weftd(["--datadir", chainDir, "--validator", state.validator],
				{ env: { WEFT_PASSWORD: "correct horse" } }).start();
			assert.deepEqual(await node.end(), { code: 0, signal: null });
		}],
		["options come from an INI file, and the command line wins", async () => {
			const ini = file("weft.ini", `datadir = ${chainDir}\nvalidator = ${state.validator}\n` +
				`password-file = ${passwordFile}\nhttp-port = 1\n`);
			const node = await new Weftd(["--config", ini]).start(); // with --http-port 0
			assert.equal((await node.rpc("weft_nodeInfo")).validatorAddress, state.validator.toLowerCase());
			assert.deepEqual(await node.end("SIGINT"), { code: 0, signal: null });
		}],
		["an INI file with an unknown or malformed line is wrong usage, and the line is named", async () => {
			await weftd(["--config", file("bad.ini", "dev = true\nhttp-prot = 1\n")], 2, /http-prot/);
			await weftd(["--config", file("bad2.ini", "[weft]\nhttp-port = many\n")], 2, /http-port/);
			await weftd(["--config", file("bad3.ini", "dev = true\nthis is nothing\n")], 2, /2|line/);
		}],
	];
}

function runCases(state) {
	const key = () => ["--datadir", chainDir, "--password-file", passwordFile, "--rpc", state.node.url];
	const rpc = () => ["--rpc", state.node.url];
	const to = Wallet.createRandom().address;

	return [
		["a validator runs", async () => {
			state.node = await new Weftd(["--datadir", chainDir, "--validator", state.validator,
				"--password-file", passwordFile]).start();
			assert.equal(state.node.wokeAt, Number(await state.node.rpc("eth_blockNumber")));
		}],
		["a data directory in use is refused", () =>
			weftd(["--datadir", chainDir, "--http-port", "0"], 1, /in use|another/)],
		["a port in use is refused, and the way out is said", async () => {
			const server = net.createServer().listen(0, "127.0.0.1");
			await until("a port", () => server.listening);
			const ports = [new URL(state.node.url).port, String(server.address().port)];
			server.unref();
			for (const port of ports)
				await weftd(["--dev", "--http-port", port], 1, new RegExp(`port ${port}.*choose another port`));
			server.close();
		}],
		["weft send --wait: type 2, 0 and 1", async () => {
			let paid = 0n;
			for (const type of ["2", "0", "1"]) {
				const sent = await weftJson(["send", "--from", state.rich, "--to", to, "--value", "1.5", "--wait",
					"--type", type, ...key()]);
				assert.equal(sent.status, "success");
				const receipt = await state.node.rpc("eth_getTransactionReceipt", sent.hash);
				assert.equal(receipt.type, `0x${type}`);
				paid += BigInt(receipt.gasUsed) * BigInt(receipt.effectiveGasPrice);
				state.sent = sent.hash;
			}
			assert.equal(BigInt(await state.node.rpc("eth_getBalance", to, "latest")), parseEther("4.5"));
			assert.equal(BigInt(await state.node.rpc("eth_getBalance", state.rich, "latest")), parseEther("4995.5") - paid);
		}],
		["weft send refuses what can't work", async () => {
			const send = (...args) => ["send", "--from", state.rich, "--to", to, ...args, ...key()];
			await weft(send("--value", "1000000"), 3, /insufficient funds/);
			await weft(send("--value", "1.0000000000000000001"), 3, /./);
			await weft(send("--value", "much"), 3, /much/);
			await weft(send("--value", "1", "--nonce", "0"), 3, /nonce too low/);
			await weft(send("--value", "1", "--gas", "20000"), 3, /intrinsic gas too low/);
			await weft(["send", "--from", state.rich, "--to", `${to.slice(0, -1)}`, "--value", "1", ...key()], 3, /address/);
			await weft(["send", "--from", state.rich, "--to", to, "--value", "1", "--datadir", chainDir, "--password-file",
				wrongPasswordFile, ...rpc()], 3, /password/);
			await weft(["send", "--from", state.rich, "--to", to, "--value", "1", "--datadir", chainDir, ...rpc()], 2, /password/i);
		}],
		["weft balance, block, tx, status, rpc", async () => {
			const balance = await weft(["balance", to, ...rpc()], 0, /4\.5 WEFT/);
			assert.ok(balance.stdout.includes(formatEther(parseEther("4.5"))));
			await weft(["block", ...rpc()], 0, /0x[0-9a-f]{64}/);
			await weft(["block", "0", ...rpc()], 0, /0x[0-9a-f]{64}/);
			await weft(["tx", state.sent, ...rpc()], 0, /success/);
			await weft(["status", ...rpc()], 0, /7001/);
			assert.match((await weft(["rpc", "eth_chainId", ...rpc()], 0)).stdout, /0x1b59/);
			assert.match((await weft(["rpc", "eth_getBalance", to, "latest", ...rpc()], 0)).stdout, /0x/);
			await weft(["rpc", "eth_nothing", ...rpc()], 3, /eth_nothing/);
			await weft(["tx", `0x${"0".repeat(64)}`, ...rpc()], 1, /./);
			await weft(["block", "999999999", ...rpc()], 1, /./);
		}],
		["weft account import: a key and a phrase", async () => {
			const { address, privateKey } = Wallet.createRandom();
			const common = ["--datadir", chainDir, "--password-file", passwordFile, "--lightkdf"];
			await weft(["account", "import", "--key-file", file("key", `${privateKey}\n`), ...common], 0, new RegExp(address));
			await weft(["account", "import", "--mnemonic-file", file("phrase", `${devPhrase}\n`), ...common], 0,
				/0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266/);
			await weft(["account", "list", "--datadir", chainDir], 0, new RegExp(address));
		}],
		["what weft stores, ethers reads", async () => {
			const name = fs.readdirSync(path.join(chainDir, "keystore")).find((n) => n.endsWith(state.rich.slice(2).toLowerCase()));
			const text = fs.readFileSync(path.join(chainDir, "keystore", name), "utf8");
			const wallet = await Wallet.fromEncryptedJson(text, "correct horse");
			assert.equal(wallet.address, state.rich);
			const provider = new JsonRpcProvider(state.node.url);
			const sent = await wallet.connect(provider).sendTransaction({ to, value: 1n });
			assert.equal((await sent.wait()).status, 1);
			provider.destroy();
		}],
		["what ethers stores, weft uses", async () => {
			const wallet = Wallet.createRandom();
			const text = await encryptKeystoreJson(wallet, "correct horse", { scrypt: { N: 1024, r: 8, p: 1 } });
			fs.writeFileSync(path.join(chainDir, "keystore", `UTC--x--${wallet.address.slice(2).toLowerCase()}`), text, { mode: 0o600 });
			await weft(["send", "--from", state.rich, "--to", wallet.address, "--value", "1", "--wait", ...key()], 0, /success/);
			await weft(["send", "--from", wallet.address, "--to", state.rich, "--value", "0.5", "--wait", ...key()], 0, /success/);
		}],
		["SIGTERM ends it cleanly, and it goes on where it was", async () => {
			const sent = await state.node.rpc("eth_getTransactionReceipt", state.sent);
			const before = Number(await state.node.rpc("eth_blockNumber"));
			assert.deepEqual(await state.node.end(), { code: 0, signal: null });
			await state.node.start();
			assert.ok(state.node.wokeAt >= before, `woke at ${state.node.wokeAt}, was at ${before}`);
			assert.deepEqual(await state.node.rpc("eth_getTransactionReceipt", state.sent), sent);
			await weft(["send", "--from", state.rich, "--to", to, "--value", "1wei", "--wait", ...key()], 0, /success/);
		}],
		["without --validator it only serves", async () => {
			assert.deepEqual(await state.node.end(), { code: 0, signal: null });
			const observer = await new Weftd(["--datadir", chainDir]).start();
			assert.equal((await observer.rpc("weft_nodeInfo")).isValidator, false);
			assert.equal(BigInt(await observer.rpc("eth_getBalance", to, "latest")), parseEther("4.5") + 2n);
			assert.deepEqual(await observer.end(), { code: 0, signal: null });
		}],
		["a chain whose sign record is gone is not signed for", async () => {
			const lost = path.join(dir, "lost");
			fs.cpSync(chainDir, lost, { recursive: true });
			for (const name of fs.readdirSync(path.join(lost, "log")))
				if (name.startsWith("consensus-")) fs.rmSync(path.join(lost, "log", name));
			await weftd(["--datadir", lost, "--http-port", "0", "--validator", state.validator,
				"--password-file", passwordFile], 3, /signed/);
		}],
		["a commit log that is cut short is refused or loses nothing", async () => {
			const cut = path.join(dir, "cut");
			fs.cpSync(chainDir, cut, { recursive: true });
			for (const name of fs.readdirSync(path.join(cut, "log")))
				if (name.startsWith("commit-")) fs.truncateSync(path.join(cut, "log", name), 100);
			const node = new Weftd(["--datadir", cut]);
			try {
				await node.start();
			} catch (error) {
				assert.match(error.message, /ended with [13]/);
				return "refused";
			}
			assert.ok(await node.rpc("eth_getTransactionReceipt", state.sent), "it serves, so it must have all");
			await node.end();
			return "nothing was lost";
		}],
		["--dev in memory leaves no file", async () => {
			const home = freshDirectory("home");
			const node = await new Weftd(["--dev"], { env: { HOME: home } }).start();
			await until("a block", async () => BigInt(await node.rpc("eth_blockNumber")) > 0n);
			assert.deepEqual(await node.end(), { code: 0, signal: null });
			assert.deepEqual(fs.readdirSync(home), []);
		}],
		["--dev on disk continues", async () => {
			const node = await new Weftd(["--dev", "--datadir", path.join(dir, "dev")]).start();
			await until("a block", async () => BigInt(await node.rpc("eth_blockNumber")) > 0n);
			const { hash } = await node.rpc("eth_getBlockByNumber", "0x1", false);
			await node.restart();
			assert.ok(node.wokeAt >= 1);
			assert.equal((await node.rpc("eth_getBlockByNumber", "0x1", false)).hash, hash);
			await node.end();
		}],
	];
}

await suite("programs", async () => {
	const state = {};
	const cases = [
		...usageCases(), ...initCases(state), ...badGenesisCases(state), ...startCases(state), ...runCases(state),
	];
	for (const [name, fn] of cases) await test(`programs: ${name}`, fn);
});
