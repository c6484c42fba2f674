// Hardhat 3 with its default toolbox, as a project of test/e2e/hardhat uses it: compiles
// contracts/src by default settings, tests and deploys on `weftd --dev`.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { Contract, JsonRpcProvider } from "ethers";
import { Weftd, artifact, contractsPath, run, suite, test, toolsPath } from "./lib.mjs";
import { devPhrase } from "./known.mjs";

/** A compiler and fifteen confirmations, on a machine that has other things to do. */
const patienceS = 300;

/** A project is looked up from where it stands: it needs its packages above it. */
function makeProject() {
	const project = path.join(toolsPath, "hardhat");
	const source = path.join(process.env.WEFT_SOURCE, "test/e2e/hardhat");

	fs.rmSync(project, { recursive: true, force: true });
	fs.cpSync(source, project, { recursive: true });
	for (const name of ["Box.sol", "Faults.sol", "Token.sol"])
		fs.cpSync(path.join(process.env.WEFT_SOURCE, "contracts/src", name), path.join(project, "contracts", name));
	fs.cpSync(path.join(contractsPath, "node_modules/@openzeppelin"), path.join(project, "node_modules/@openzeppelin"),
		{ recursive: true });
	return project;
}

await suite("hardhat", async () => {
	const project = makeProject();
	const node = await new Weftd(["--dev"]).start();
	const hardhat = async (...args) => {
		const result = await run(process.execPath, [path.join(toolsPath, "node_modules/hardhat/dist/src/cli.js"), ...args], {
			cwd: project, input: "y\n",
			env: {
				WEFT_URL: node.url, WEFT_PHRASE: devPhrase, HOME: project, CI: "true", HARDHAT_DISABLE_TELEMETRY: "1",
				WEFT_SOLC: path.join(contractsPath, "node_modules/solc/soljson.js"),
			},
		});
		assert.equal(result.code, 0, result.stdout + result.stderr);
		return result.stdout;
	};

	await test("hardhat: compiles OpenZeppelin's and our contracts as they are", async () => {
		await hardhat("build");
		const { bytecode } = JSON.parse(fs.readFileSync(path.join(project, "artifacts/contracts/Token.sol/Token.json"), "utf8"));
		assert.equal(bytecode.length, artifact("Token").bytecode.length);
	}, patienceS);
	await test("hardhat: its tests pass on the node", async () => {
		await hardhat("test", "mocha", "--network", "weft", "--no-compile");
		const { stats, failures, passes } = JSON.parse(fs.readFileSync(path.join(project, "tests.json"), "utf8"));
		assert.deepEqual(failures.map(({ fullTitle, err }) => [fullTitle, err.message]), []);
		assert.equal(stats.passes, passes.length);
		assert.equal(passes.length, 7);
		return `${passes.length} tests`;
	}, patienceS);
	await test("hardhat: Ignition deploys a proxy and upgrades it, with five confirmations", async () => {
		const module = path.join("ignition", "modules", "Box.js");
		const said = await hardhat("ignition", "deploy", module, "--network", "weft");
		const deployed = JSON.parse(fs.readFileSync(
			path.join(project, "ignition/deployments/chain-31337/deployed_addresses.json"), "utf8"));
		const provider = new JsonRpcProvider(node.url);
		const box = new Contract(deployed["Box#Box"], artifact("BoxV2").abi, provider);
		assert.deepEqual(await Promise.all([box.version(), box.retrieve(), box.changes()]), [2n, 7n, 100n]);
		assert.match(said, /successfully deployed/);
		// A second time finds that all of it is there.
		const owner = await box.owner(), nonce = await provider.getTransactionCount(owner);
		assert.match(await hardhat("ignition", "deploy", module, "--network", "weft"), /nothing new to deploy/i);
		assert.equal(await provider.getTransactionCount(owner), nonce);
		provider.destroy();
	}, patienceS);
	await node.end();
});
