// lib - what the end-to-end tests share: TAP, a weftd that is started and stopped,
// raw JSON-RPC.
//
// A test prints `ok - name` or `not ok - name` on stdout; what went wrong goes to
// stderr. test/e2e/run adds the plan. Everything that is started here is ended
// here, by its own process id.
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import readline from "node:readline";
import { inspect } from "node:util";

function env(name) {
	if (!process.env[name]) throw new Error(`${name} is not set: start this with test/e2e/run`);
	return process.env[name];
}

export const build = env("WEFT_BUILD");
export const weftdPath = path.join(build, "weftd");
export const weftPath = path.join(build, "weft");
/** Where contracts/build has put what it made. */
export const contractsPath = path.join(build, "contracts");
/** Where the large clients are (test/e2e/tools). */
export const toolsPath = path.join(build, "e2e/tools");
const work = env("WEFT_E2E_WORK");

// --- TAP ---

/** Runs one case; what `fn` returns is a remark behind its name. Only a case that
 *  hangs takes longer than `limitS` seconds. */
export async function test(name, fn, limitS = 120) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`no end after ${limitS} s`)), limitS * 1000);
	});
	try {
		const remark = await Promise.race([fn(), late]);
		console.log(`ok - ${name}${remark ? ` (${String(remark).split("\n")[0]})` : ""}`);
		return true;
	} catch (error) {
		console.log(`not ok - ${name}`);
		console.error(`${name}:`, error);
		for (const node of alive) node.sayLastWords();
		process.exitCode = 1;
		return false;
	} finally {
		clearTimeout(timer);
	}
}

export function skip(name, why) {
	console.log(`ok - ${name} # SKIP ${why}`);
}

/** All cases of a program share what `setup` gives; if that fails, all have failed. */
export async function suite(name, fn) {
	try {
		await fn();
	} catch (error) {
		console.log(`not ok - ${name}: set-up`);
		console.error(`${name}:`, error);
		process.exitCode = 1;
	} finally {
		await stopAll();
	}
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Asks `fn` until it gives something true. */
export async function until(what, fn, patienceMs = 30000) {
	const end = Date.now() + patienceMs;
	for (;;) {
		const found = await fn();
		if (found) return found;
		if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
		await sleep(20);
	}
}

// --- files ---

let directoryCount = 0;

/** A fresh directory below the build; test/e2e/run removes them all. */
export function freshDirectory(name) {
	const dir = path.join(work, `${name}-${process.pid}-${++directoryCount}`);
	fs.mkdirSync(dir, { recursive: true });
	return dir;
}

/** A compiled contract of contracts/src: { abi, bytecode, deployedBytecode, … }. */
export const artifact = (name) => JSON.parse(fs.readFileSync(artifactPath(name), "utf8"));
export const artifactPath = (name) => path.join(contractsPath, "artifacts", `${name}.json`);

// --- programs ---

const running = new Set();

/** Runs a program to its end, without a terminal: { code, signal, stdout, stderr }. */
export function run(program, args, { env: extra = {}, input = "", cwd } = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, { env: { ...process.env, ...extra }, cwd, detached: true });
		let stdout = "", stderr = "";
		running.add(child);
		child.stdout.on("data", (text) => (stdout += text));
		child.stderr.on("data", (text) => (stderr += text));
		child.on("error", reject);
		child.on("close", (code, signal) => {
			running.delete(child);
			resolve({ code, signal, stdout, stderr });
		});
		child.stdin.on("error", () => {});
		child.stdin.end(input);
	});
}

/** key=value pairs of a log line. */
function logFields(line) {
	const fields = {};
	for (const [, key, quoted, bare] of line.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/g))
		fields[key] = quoted ?? bare;
	return fields;
}

const alive = new Set();

/** A weftd under test. */
export class Weftd {
	/** `wrap`: program and arguments to put before weftd. */
	constructor(args, { env: extra = {}, wrap = [], cwd } = {}) {
		this.args = ["--http-port", "0", ...args];
		this.extra = extra;
		this.wrap = wrap;
		this.cwd = cwd;
	}

	/** Ends when it listens; throws with its last words if it ends before that. */
	async start() {
		const [program, ...args] = [...this.wrap, weftdPath, ...this.args];
		this.lines = [];
		this.isEnding = false;
		this.child = spawn(program, args, {
			env: { ...process.env, ...this.extra },
			cwd: this.cwd,
			stdio: ["ignore", "inherit", "pipe"],
		});
		running.add(this.child);
		alive.add(this);
		this.ended = new Promise((resolve) => {
			this.child.on("close", (code, signal) => {
				running.delete(this.child);
				alive.delete(this);
				resolve({ code, signal });
				if (!this.isEnding && signal !== "SIGKILL")
					console.error(`weftd ended with ${signal ?? code}, its last words:`, this.lines.slice(-12));
			});
		});
		const reader = readline.createInterface({ input: this.child.stderr });
		await new Promise((resolve, reject) => {
			reader.on("line", (line) => {
				this.lines.push(line);
				if (line.includes(" event=listening ")) resolve();
			});
			this.child.on("error", reject);
			this.ended.then(({ code, signal }) =>
				reject(new Error(`weftd ended with ${signal ?? code}:\n${this.lines.slice(-5).join("\n")}`)));
		});
		this.url = this.event("listening").url;
		return this;
	}

	/** After a failure: what it was doing. */
	sayLastWords() {
		console.error(`the newest lines of ${this.args.join(" ")} in ${this.cwd ?? "."}:`);
		for (const line of this.lines.slice(-40)) console.error(`  ${line}`);
	}

	/** The fields of the newest log line of this event, or undefined. */
	event(name) {
		const line = this.lines.findLast((text) => text.includes(` event=${name} `));
		return line && logFields(line);
	}

	/** The height at which it found its chain. */
	get wokeAt() {
		return Number(this.event("woke").height);
	}

	async end(signal = "SIGTERM") {
		this.isEnding = true;
		this.child.kill(signal);
		return this.ended;
	}

	async restart(signal) {
		await this.end(signal);
		return this.start();
	}

	rpc(method, ...params) {
		return rpc(this.url, method, ...params);
	}

	batch(calls) {
		return batch(this.url, calls);
	}
}

/** Whatever still runs must not outlive the test. */
export async function stopAll() {
	for (const child of running) child.kill("SIGKILL");
	await until("children to end", () => running.size === 0);
}

process.on("exit", () => {
	for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

// --- HTTP and JSON-RPC ---

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

/** One request: { status, headers, body }. `body` null: none. */
export function request(url, { method = "POST", headers = {}, body = null, path: at = "/" } = {}) {
	return new Promise((resolve, reject) => {
		const { hostname, port } = new URL(url);
		const req = http.request({ hostname, port, path: at, method, headers, agent }, (res) => {
			const chunks = [];
			res.on("data", (chunk) => chunks.push(chunk));
			res.on("error", reject);
			res.on("end", () => resolve({
				status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks).toString(),
			}));
		});
		req.on("error", reject);
		req.end(body);
	});
}

async function post(url, value) {
	const reply = await request(url, {
		headers: { "Content-Type": "application/json" }, body: JSON.stringify(value),
	});
	if (reply.status !== 200) throw new Error(`HTTP ${reply.status}: ${reply.body}`);
	return JSON.parse(reply.body);
}

export class RpcError extends Error {
	constructor({ code, message, data }) {
		super(message);
		this.code = code;
		this.data = data;
	}
}

/** The result; throws RpcError. */
export async function rpc(url, method, ...params) {
	const reply = await post(url, { jsonrpc: "2.0", id: 1, method, params });
	if (reply.error) throw new RpcError(reply.error);
	return reply.result;
}

/** Calls are [method, …params]; the replies, { result } or { error }, in their order. */
export async function batch(url, calls) {
	const replies = await post(url, calls.map(([method, ...params], id) =>
		({ jsonrpc: "2.0", id, method, params })));
	if (!Array.isArray(replies)) throw new RpcError(replies.error);
	const sorted = new Array(calls.length);
	for (const reply of replies) sorted[reply.id] = reply;
	return sorted;
}

/** The error that `promise` ends with; it must end with one. */
export async function failure(promise) {
	let value;
	try {
		value = await promise;
	} catch (error) {
		return error;
	}
	throw new Error(`this must not succeed, and gave ${inspect(value)}`);
}
