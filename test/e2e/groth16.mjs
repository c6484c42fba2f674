// A proof without knowledge, all of it made here: circom compiles a circuit, snarkjs makes
// the keys, the proof and the verifier in Solidity, solc compiles that, and the chain has
// to take the real proof and no other. It is BN254's precompiles that do the work.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { ContractFactory, HDNodeWallet, JsonRpcProvider, Mnemonic } from "ethers";
import { Weftd, artifact, contractsPath, failure, freshDirectory, run, suite, test, toolsPath } from "./lib.mjs";
import { devPhrase } from "./known.mjs";

const tool = createRequire(path.join(toolsPath, "package.json"));
const snarkjs = tool("snarkjs");
const solc = createRequire(path.join(contractsPath, "package.json"))("solc");

/** BN254: the field of signals, and that of coordinates. */
const order = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const prime = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

/** The circuit, and keys for it with a randomness that nobody keeps. */
async function makeKeys(dir) {
	const source = path.join(process.env.WEFT_SOURCE, "test/e2e/groth16/secret.circom");
	const { code, stdout, stderr } = await run(process.execPath,
		[path.join(toolsPath, "node_modules/circom2/cli.js"), path.relative(dir, source), "--r1cs", "--wasm", "-o", "."], { cwd: dir });
	assert.equal(code, 0, stdout + stderr);

	const [powers, contributed, prepared, first, key] = Array.from({ length: 5 }, () => ({ type: "mem" }));
	const entropy = () => crypto.randomBytes(32).toString("hex");
	await snarkjs.powersOfTau.newAccumulator(await snarkjs.curves.getCurveFromName("bn128"), 7, powers);
	await snarkjs.powersOfTau.contribute(powers, contributed, "e2e", entropy());
	await snarkjs.powersOfTau.preparePhase2(contributed, prepared);
	await snarkjs.zKey.newZKey(path.join(dir, "secret.r1cs"), prepared, first);
	await snarkjs.zKey.contribute(first, key, "e2e", entropy());
	return { key, wasm: path.join(dir, "secret_js/secret.wasm") };
}

/** The verifier as snarkjs writes it, by solc's default settings. */
async function compileVerifier(key) {
	const template = path.join(toolsPath, "node_modules/snarkjs/templates/verifier_groth16.sol.ejs");
	const content = await snarkjs.zKey.exportSolidityVerifier(key, { groth16: fs.readFileSync(template, "utf8") });
	const { contracts, errors = [] } = JSON.parse(solc.compile(JSON.stringify({
		language: "Solidity", sources: { "Verifier.sol": { content } },
		settings: { outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } } },
	})));
	assert.deepEqual(errors.filter(({ severity }) => severity === "error"), []);
	const { abi, evm } = contracts["Verifier.sol"].Groth16Verifier;
	return { abi, bytecode: `0x${evm.bytecode.object}` };
}

/** As the verifier takes them: a, b with its halves in Ethereum's order, c. */
function pointsOf({ pi_a, pi_b, pi_c }) {
	return [pi_a.slice(0, 2), pi_b.slice(0, 2).map(([x, y]) => [y, x]), pi_c.slice(0, 2)]
		.map((point) => point.map((n) => (Array.isArray(n) ? n.map(BigInt) : BigInt(n))));
}

await suite("groth16", async () => {
	const node = await new Weftd(["--dev"]).start();
	const provider = new JsonRpcProvider(node.url, undefined, { polling: true, pollingInterval: 50, cacheTimeout: -1 });
	const [wallet, other] = [0, 1].map((i) =>
		HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(devPhrase), `m/44'/60'/0'/0/${i}`).connect(provider));
	const deploy = async ({ abi, bytecode }, ...args) =>
		(await new ContractFactory(abi, bytecode, wallet).deploy(...args)).waitForDeployment();
	const secret = BigInt(`0x${crypto.randomBytes(31).toString("hex")}`), account = BigInt(other.address);
	let keys, verifier, proof, signals, points;

	await test("groth16: a circuit, its keys, and a proof that snarkjs itself accepts", async () => {
		keys = await makeKeys(freshDirectory("groth16"));
		({ proof, publicSignals: signals } = await snarkjs.groth16.fullProve({ secret, account }, keys.wasm, keys.key));
		points = pointsOf(proof);
		signals = signals.map(BigInt);
		assert.equal(signals[1], account);
		assert.equal(await snarkjs.groth16.verify(await snarkjs.zKey.exportVerificationKey(keys.key), signals, proof), true);
	});
	await test("groth16: the contract accepts the proof", async () => {
		verifier = await deploy(await compileVerifier(keys.key));
		assert.equal(await verifier.verifyProof(...points, signals), true);
		return `${await verifier.verifyProof.estimateGas(...points, signals)} gas`;
	});
	await test("groth16: it refuses each change: of a point, of a signal, off the curve, out of the field", async () => {
		const [a, b, c] = points, [digest] = signals;
		const negated = ([x, y]) => [x, prime - y];
		const changed = {
			"a negated": [negated(a), b, c, signals],
			"c for a": [c, b, c, signals],
			"a off the curve": [[a[0], a[1] ^ 1n], b, c, signals],
			"a out of the field": [[a[0] + prime, a[1]], b, c, signals],
			"nothing for a": [[0n, 0n], b, c, signals],
			"halves of b exchanged": [a, b.map(([x, y]) => [y, x]), c, signals],
			"b off the curve": [a, [b[0], [b[1][0] ^ 1n, b[1][1]]], c, signals],
			"c negated": [a, b, negated(c), signals],
			"another digest": [a, b, c, [digest + 1n, account]],
			"another account": [a, b, c, [digest, account + 1n]],
			"a signal out of the field": [a, b, c, [digest, account + order]],
		};
		for (const [what, args] of Object.entries(changed))
			assert.equal(await verifier.verifyProof(...args), false, what);
		return `${Object.keys(changed).length} changes`;
	});
	await test("groth16: another proof of the same is another one, and accepted", async () => {
		const again = await snarkjs.groth16.fullProve({ secret, account }, keys.wasm, keys.key);
		assert.notDeepEqual(pointsOf(again.proof), points);
		assert.equal(await verifier.verifyProof(...pointsOf(again.proof), signals), true);
	});
	await test("groth16: in a transaction it opens a gate, once, for the account that it names", async () => {
		const gate = await deploy(artifact("Gate"), await verifier.getAddress(), signals[0]);
		const named = async (promise) => gate.interface.parseError((await failure(promise)).data).name;
		assert.equal(await named(gate.open(wallet.address, ...points)), "NotProven");
		assert.equal(await named(gate.open(other.address, points[2], points[1], points[0])), "NotProven");
		const receipt = await (await gate.open(other.address, ...points)).wait();
		assert.deepEqual(receipt.logs.map((log) => [...gate.interface.parseLog(log).args]), [[other.address]]);
		assert.equal(await gate.opener(), other.address);
		assert.equal(await named(gate.open(other.address, ...points)), "IsOpen");
		return `${receipt.gasUsed} gas`;
	});
	// snarkjs keeps threads, which would keep this program.
	await (await snarkjs.curves.getCurveFromName("bn128")).terminate();
	provider.destroy();
	await node.end();
});
