// contrib/quickstart, on this build: what a newcomer sees.
import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { JsonRpcProvider, Wallet, parseEther } from "ethers";
import { build, freshDirectory, run, suite, test, until } from "./lib.mjs";

const script = path.join(process.env.WEFT_SOURCE, "contrib/quickstart");

async function isFree(port) {
	const server = net.createServer();
	return new Promise((done) => {
		server.once("error", () => done(false));
		server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
	});
}

/** The first of the ports that four validators take. */
async function freePort() {
	for (let base = 24000 + (process.pid % 100) * 20; base < 60000; base += 20) {
		const ports = [0, 1, 2, 3, 100, 101, 102, 103].map((i) => base + i);
		if ((await Promise.all(ports.map(isFree))).every(Boolean)) return String(base);
	}
	throw new Error("no free ports");
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
			assert.match(said, /2000 transfers .* per second, on all of them/);
			const all = [...said.matchAll(/node (\d) +(block \d+ .*)/g)];
			assert.deepEqual(all.map(([, node]) => node), ["0", "1", "2", "3"]);
			assert.equal(new Set(all.map(([, , facts]) => facts)).size, 1, "the four give the same");
			assert.match(all[0][2], /hash 0x[0-9a-f]+… +stateRoot 0x[0-9a-f]+… +alice [0-9.]+ WEFT +bob [0-9.]+ WEFT/);
			assert.equal(fs.statSync(path.join(dir, "chain/net/node3/password")).mode & 0o777, 0o600);
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
			await quickstart([], 0, /running already: 4 validators.*\n.*--stop/);
			await quickstart(["--status"], 0, /running: 4 of 4 validators[^]*chain id 7001[^]*3 +validator +\d+ +\d+ +0x/);
		});
		await test("quickstart: a port that is taken is named, with the way out", async () => {
			await quickstart([], 1, /port \d+ is taken[^]*WEFT_QUICKSTART_PORT=/, { WEFT_QUICKSTART_DIR: `${dir}-2` });
		});
		await test("quickstart: a killed validator is started again", async () => {
			const pid = Number(fs.readFileSync(path.join(dir, "chain/net/node2/pid"), "utf8"));
			process.kill(pid, "SIGKILL");
			await quickstart(["--status"], 1, /running: 3 of 4[^]*2 +validator +- +does not run/);
			await quickstart([], 0, /node 2 .*process \d+[^]*it runs; try next/);
		});
		await test("quickstart: --stop ends it, once", async () => {
			await quickstart(["--stop"], 0, /Stopped/);
			await quickstart(["--stop"], 0, /not running/);
			await quickstart(["--status"], 1, /not running/);
		});
		await test("quickstart: another program's process is never stopped", async () => {
			fs.writeFileSync(path.join(dir, "chain/net/node0/pid"), `${process.pid}\n`);
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
