// contrib/quickstart, on this build: what a newcomer sees.
import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { JsonRpcProvider, Wallet, parseEther } from "ethers";
import { build, freshDirectory, run, suite, test, until } from "./lib.mjs";

const script = path.join(process.env.WEFT_SOURCE, "contrib/quickstart");

async function freePort() {
	const server = net.createServer().listen(0, "127.0.0.1");
	await until("a port", () => server.listening);
	const { port } = server.address();
	await new Promise((done) => server.close(done));
	return String(port);
}

await suite("quickstart", async () => {
	const dir = path.join(freshDirectory("quickstart"), "chain");
	const env = { WEFT_QUICKSTART_DIR: dir, WEFT_QUICKSTART_PORT: await freePort(), WEFT_QUICKSTART_BUILD: build };
	const quickstart = async (args, code, text, extra = {}) => {
		const result = await run(script, args, { env: { ...env, ...extra } });
		const said = result.stdout + result.stderr;
		assert.equal(result.code, code, said);
		assert.match(said, text);
		return said;
	};
	const url = `http://127.0.0.1:${env.WEFT_QUICKSTART_PORT}`;

	try {
		await test("quickstart: brings a chain that takes transfers", async () => {
			const said = await quickstart([], 0, /it runs; try next/);
			assert.equal(said.match(/final after [0-9.]+ ms/g).length, 4);
			assert.match(said, /alice +1000000 WEFT/);
			assert.match(said, /2000 transfers .* per second/);
			assert.equal(fs.statSync(path.join(dir, "chain/password")).mode & 0o777, 0o600);
		});
		await test("quickstart: ethers pays on it with the key that it names for wallets", async () => {
			const provider = new JsonRpcProvider(url);
			const wallet = new Wallet(fs.readFileSync(path.join(dir, "chain/alice.key"), "utf8").trim(), provider);
			const to = Wallet.createRandom().address;
			await (await wallet.sendTransaction({ to, value: parseEther("3") })).wait();
			assert.equal(await provider.getBalance(to), parseEther("3"));
			provider.destroy();
		});
		await test("quickstart: a second time says that it runs, and how to stop it", async () => {
			await quickstart([], 0, /running already: process \d+.*\n.*--stop/);
			await quickstart(["--status"], 0, /running: process \d+[^]*chain id +7001/);
		});
		await test("quickstart: a port that is taken is named, with the way out", async () => {
			await quickstart([], 1, /port \d+ is taken[^]*WEFT_QUICKSTART_PORT=/, { WEFT_QUICKSTART_DIR: `${dir}-2` });
		});
		await test("quickstart: --stop ends it, once", async () => {
			await quickstart(["--stop"], 0, /Stopped/);
			await quickstart(["--stop"], 0, /not running/);
			await quickstart(["--status"], 1, /not running/);
		});
		await test("quickstart: another program's process is never stopped", async () => {
			fs.writeFileSync(path.join(dir, "weftd.pid"), `${process.pid}\n`);
			await quickstart(["--stop"], 0, /not running/);
		});
		await test("quickstart: what was stopped goes on", async () => {
			await quickstart([], 0, /it runs; try next/);
			await quickstart(["--stop"], 0, /Stopped/);
		});
		await test("quickstart: --help, and options that there are not", async () => {
			await quickstart(["--help"], 0, /WEFT_QUICKSTART_DIR/);
			await quickstart(["--start"], 2, /unknown option --start/);
		});
	} finally {
		await run(script, ["--stop"], { env });
	}
});
