// compile - all of a folder's contracts, and what they import, with solc's default
// settings: compile.mjs SOURCES ARTIFACTS. contracts/build starts it.
//
// An artifact is { contractName, sourceName, abi, bytecode, deployedBytecode,
// storageLayout, compiler, evmVersion }. They are replaced as a whole: a compilation
// that fails leaves those of the last one.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const [sources, artifacts] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const solc = require("solc");
const self = fileURLToPath(import.meta.url);
const packages = path.join(path.dirname(self), "node_modules");
const digest = createHash("sha256");

/** Warnings about what a test is for. */
const expected = { "src/Mortal.sol": "1699" /* selfdestruct is deprecated */ };
/** Of the packages' contracts, those that are deployed as they are. */
const wanted = /^(src|@openzeppelin\/contracts\/proxy)\//;

function sourcesOf(folder) {
	return fs.readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
}

/** Imports name a package's file; our own are already there. */
function findImport(name) {
	const file = path.join(packages, name);
	if (!file.startsWith(packages + path.sep) || !fs.existsSync(file)) return { error: `${name} is not there` };
	return { contents: fs.readFileSync(file, "utf8") };
}

function compile() {
	const input = {
		language: "Solidity",
		sources: Object.fromEntries(sourcesOf(sources).map((name) =>
			[`src/${name}`, { content: fs.readFileSync(path.join(sources, name), "utf8") }])),
		settings: {
			outputSelection: {
				"*": { "*": ["abi", "metadata", "storageLayout", "evm.bytecode.object", "evm.deployedBytecode.object"] },
			},
		},
	};
	const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
	let isBroken = false;
	for (const { severity, errorCode, formattedMessage, sourceLocation } of output.errors ?? []) {
		const file = sourceLocation?.file ?? "";
		// The code of packages is as it is; ours has no warnings.
		if (severity !== "error" && (!file.startsWith("src/") || expected[file] === errorCode)) continue;
		console.error(formattedMessage);
		isBroken = true;
	}
	if (isBroken) process.exit(1);
	return output.contracts;
}

function write(contracts, folder) {
	for (const [sourceName, inside] of Object.entries(contracts)) {
		if (!wanted.test(sourceName)) continue;
		for (const [contractName, made] of Object.entries(inside)) {
			const { compiler, settings } = JSON.parse(made.metadata || "{}");
			if (!made.evm.bytecode.object) continue; // an interface, or abstract
			fs.writeFileSync(path.join(folder, `${contractName}.json`), `${JSON.stringify({
				contractName, sourceName, abi: made.abi,
				bytecode: `0x${made.evm.bytecode.object}`,
				deployedBytecode: `0x${made.evm.deployedBytecode.object}`,
				storageLayout: made.storageLayout,
				compiler: compiler.version, evmVersion: settings.evmVersion,
			}, null, "\t")}\n`);
		}
	}
}

digest.update(solc.version());
digest.update(fs.readFileSync(path.join(packages, ".package-lock.json")));
digest.update(fs.readFileSync(self));
for (const name of sourcesOf(sources)) digest.update(`${name}\n`).update(fs.readFileSync(path.join(sources, name)));
const stamp = digest.digest("hex");
const stampFile = path.join(artifacts, "stamp");

if (!fs.existsSync(stampFile) || fs.readFileSync(stampFile, "utf8") !== stamp) {
	const contracts = compile();
	fs.rmSync(artifacts, { recursive: true, force: true });
	fs.mkdirSync(artifacts, { recursive: true });
	write(contracts, artifacts);
	fs.writeFileSync(stampFile, stamp);
}
