// Foundry as a project of test/e2e/foundry uses it, against `weftd --dev`: forge create,
// script and test, cast. The programs themselves are called: their npm shims end with 0
// when they fail.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { HDNodeWallet, Interface, Mnemonic, ZeroAddress, getAddress, getCreate2Address, getCreateAddress, keccak256, toBeHex } from "ethers";
import { Weftd, artifact, contractsPath, freshDirectory, run, suite, test, toolsPath } from "./lib.mjs";
import { deployerAddress, devPhrase } from "./known.mjs";

/** Of a compiler in JavaScript, on a machine that has other things to do. */
const patienceS = 300;

function program(name) {
	const arch = { x64: "amd64", arm64: "arm64" }[process.arch];
	return path.join(toolsPath, `node_modules/@foundry-rs/${name}-${process.platform}-${arch}/bin/${name}`);
}

function makeProject() {
	const project = freshDirectory("foundry");
	const source = path.join(process.env.WEFT_SOURCE, "test/e2e/foundry");

	fs.cpSync(source, project, { recursive: true });
	for (const name of ["Box.sol", "Factory.sol", "Faults.sol", "Token.sol"])
		fs.cpSync(path.join(process.env.WEFT_SOURCE, "contracts/src", name), path.join(project, "src", name));
	fs.cpSync(path.join(contractsPath, "node_modules/@openzeppelin"), path.join(project, "lib/@openzeppelin"),
		{ recursive: true });
	fs.writeFileSync(path.join(project, "solc"), `#!/bin/sh\nexec "${process.execPath}" "${path.join(project, "solc.mjs")}" \
"${path.join(contractsPath, "node_modules/solc/index.js")}" "$@"\n`, { mode: 0o755 });
	return project;
}

await suite("foundry", async () => {
	const project = makeProject();
	const node = await new Weftd(["--dev"]).start();
	const [wallet, second] = [0, 1].map((i) =>
		HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(devPhrase), `m/44'/60'/0'/0/${i}`));
	const call = (name) => async (args, { fails = null, env = {} } = {}) => {
		const { code, stdout, stderr } = await run(program(name), args,
			{ cwd: project, env: { HOME: project, ETH_RPC_URL: node.url, FOUNDRY_DISABLE_NIGHTLY_WARNING: "1", NO_COLOR: "1", ...env } });
		if (!fails) assert.equal(code, 0, stdout + stderr);
		else assert.notEqual(code, 0, stdout);
		if (fails) assert.match(stdout + stderr, fails);
		return stdout.trim();
	};
	const forge = call("forge"), cast = call("cast");
	const key = ["--private-key", wallet.privateKey];
	const balance = (of) => cast(["call", token, "balanceOf(address)(uint256)", of]);
	const receiptOf = async (args, options) => JSON.parse(await cast(["send", "--json", ...key, ...args], options));
	let token;

	await test("foundry: forge create deploys an ERC-20", async () => {
		const said = await forge(["create", "src/Token.sol:Token", "--broadcast", "--json", ...key,
			"--constructor-args", "Forge", "FRG", "5000"]);
		({ deployedTo: token } = JSON.parse(said.slice(said.indexOf("{"))));
		assert.equal(getAddress(token), getCreateAddress({ from: wallet.address, nonce: 0 }));
		assert.equal(await cast(["call", token, "symbol()(string)"]), '"FRG"');
		assert.equal(await balance(wallet.address), "5000");
	}, patienceS);
	await test("foundry: cast sends, calls, reads receipts, code and storage", async () => {
		const receipt = await receiptOf([token, "transfer(address,uint256)", second.address, "10"]);
		assert.equal(receipt.status, "0x1");
		assert.equal(receipt.logs[0].topics.length, 3);
		assert.equal(await balance(second.address), "10");
		const again = JSON.parse(await cast(["receipt", "--json", receipt.transactionHash]));
		assert.equal(again.blockHash, receipt.blockHash);
		assert.equal(await cast(["storage", token, "2"]), toBeHex(5000, 32), "the supply");
		assert.equal(await cast(["code", token]), await node.rpc("eth_getCode", token, "latest"));
		assert.equal(await cast(["nonce", wallet.address]), "2");
		assert.equal((await receiptOf([second.address, "--value", "1ether", "--legacy"])).type, "0x0");
	}, patienceS);
	await test("foundry: cast tells a custom error, a reason, a panic", async () => {
		const { deployedTo: faults } = JSON.parse((await forge(["create", "src/Faults.sol:Faults", "--broadcast", "--json", ...key,
			"--constructor-args", "true"])).replace(/^[^{]*/, ""));
		const selector = new Interface(artifact("Faults").abi).getError("Plain").selector;
		await cast(["call", faults, "plain()"], { fails: new RegExp(selector) });
		await cast(["call", faults, "reason(uint256)", "10"], { fails: /Faults: n is not below ten/ });
		await cast(["call", faults, "division(uint256)", "0"], { fails: /panic|division|0x12/i });
		await cast(["send", ...key, token, "transfer(address,uint256)", ZeroAddress, "1"], { fails: /0xec442f05|ERC20InvalidReceiver/ });
		const failed = await receiptOf([faults, "tooLow(uint256)", "5", "--gas-limit", "100000"]);
		assert.equal(failed.status, "0x0");
	}, patienceS);
	await test("foundry: forge script broadcasts a token, a proxy with its upgrade, CREATE2", async () => {
		await forge(["script", "script/Deploy.s.sol:Deploy", "--broadcast", ...key, "--rpc-url", node.url]);
		const { transactions, receipts, returns } = JSON.parse(
			fs.readFileSync(path.join(project, "broadcast/Deploy.s.sol/31337/run-latest.json"), "utf8"));
		assert.equal(receipts.length, transactions.length);
		assert.ok(receipts.every(({ status }) => status === "0x1"));
		const code = `${artifactOfForge(project, "Factory", "Parcel")}${toBeHex(99, 32).slice(2)}`;
		const predicted = getCreate2Address(deployerAddress, toBeHex(7, 32), keccak256(code));
		assert.equal(getAddress(returns.parcel.value), predicted);
		assert.equal(await cast(["call", predicted, "maker()(address)"]), getAddress(deployerAddress));
		assert.equal(await cast(["call", returns.box.value, "retrieve()(uint256)"]), "42");
		assert.equal(await cast(["call", returns.box.value, "version()(uint256)"]), "2");
		assert.equal(await cast(["call", returns.token.value, "balanceOf(address)(uint256)",
			"0x000000000000000000000000000000000000bEEF"]), "1234");
		return `${transactions.length} transactions`;
	}, patienceS);
	await test("foundry: forge test on a fork of the running chain", async () => {
		const said = await forge(["test", "--fork-url", node.url, "--json"],
			{ env: { WEFT_TOKEN: token, WEFT_OWNER: wallet.address } });
		const [suiteOf] = Object.values(JSON.parse(said.slice(said.indexOf("{"))));
		assert.deepEqual(Object.values(suiteOf.test_results).map(({ status }) => status), ["Success", "Success", "Success"]);
	}, patienceS);
	await test("foundry: cast finds logs", async () => {
		const logs = JSON.parse(await cast(["logs", "--json", "--from-block", "0", "--address", token,
			"Transfer(address indexed,address indexed,uint256)"]));
		assert.deepEqual(logs.map(({ data }) => BigInt(data)), [5000n, 10n]);
	}, patienceS);
	await test("foundry: cast estimates gas and makes an access list", async () => {
		const transfer = [token, "transfer(address,uint256)", second.address, "1"];
		const gas = Number(await cast(["estimate", "--from", wallet.address, ...transfer]));
		assert.ok(gas > 21000 && gas < 60000, gas);
		const list = JSON.parse(await cast(["access-list", "--json", "--from", wallet.address, ...transfer]));
		assert.equal(list.accessList[0].storageKeys.length, 2);
	}, patienceS);
	await test("foundry: cast run runs an old transaction again", async () => {
		const { transactionHash } = await receiptOf([token, "transfer(address,uint256)", second.address, "3"]);
		const said = await cast(["run", transactionHash]);
		assert.match(said, /transfer|a9059cbb/);
		assert.match(said, /Transaction successfully executed/);
	}, patienceS);
	await test("foundry: an account delegates its code (EIP-7702)", async () => {
		const to = await receiptOf([ZeroAddress, "--auth", token]);
		assert.equal(to.type, "0x4");
		assert.equal(await cast(["code", wallet.address]), `0xef0100${token.slice(2).toLowerCase()}`);
	}, patienceS);
	await node.end();
});

/** The creation code that forge has made: its settings for the metadata are its own. */
function artifactOfForge(project, source, name) {
	return JSON.parse(fs.readFileSync(path.join(project, `out/${source}.sol/${name}.json`), "utf8")).bytecode.object;
}
