// A user's project, on a node that runs: test/e2e/hardhat.mjs puts it and contracts/src
// together. The compiler is the pinned solc-js, with default settings.
import toolbox from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { defineConfig } from "hardhat/config";

export default defineConfig({
	plugins: [toolbox],
	solidity: {
		version: "0.8.37",
		path: process.env.WEFT_SOLC,
		npmFilesToBuild: ["@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol"],
	},
	networks: {
		weft: {
			type: "http",
			chainType: "l1",
			url: process.env.WEFT_URL,
			accounts: { mnemonic: process.env.WEFT_PHRASE },
		},
	},
	test: { mocha: { timeout: 60000, reporter: "json", reporterOptions: { output: "tests.json" } } },
});
