// solc's command line, as much of it as forge uses, on solc-js: forge would download a
// compiler. solc.mjs SOLC-JS-MODULE [ARGUMENT...]
import fs from "node:fs";
import { createRequire } from "node:module";

const [module, ...args] = process.argv.slice(2);
const solc = createRequire(import.meta.url)(module);

if (args.includes("--version")) {
	console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else if (args.includes("--standard-json")) {
	// forge gives all sources in its request: no file is looked for, and no path allowed.
	process.stdout.write(solc.compile(fs.readFileSync(0, "utf8")));
} else {
	console.error(`solc.mjs: not a use of forge's: ${args.join(" ")}`);
	process.exitCode = 1;
}
