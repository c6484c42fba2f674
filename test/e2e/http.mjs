// The port as strangers find it: other hosts' names, web pages, garbage, endless
// and half-sent requests, and what operators ask.
import assert from "node:assert/strict";
import net from "node:net";
import { Weftd, request, sleep, suite, test } from "./lib.mjs";

const bodyMax = 1024 * 1024;
const call = (method, ...params) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
const json = { "Content-Type": "application/json" };

/** A connection that sends what it likes. */
class Raw {
	constructor(url) {
		const { hostname, port } = new URL(url);
		this.received = "";
		this.socket = net.connect(port, hostname);
		this.closed = new Promise((resolve) => this.socket.on("close", resolve));
		this.socket.on("data", (data) => (this.received += data));
		this.socket.on("error", () => {}); // closing on us is an answer
	}

	/** Writes, and takes what comes until the other side closes, or waits for more. */
	async exchange(...parts) {
		for (const part of parts) this.socket.write(part);
		await Promise.race([this.closed, sleep(2000).then(() => this.socket.destroy())]);
		return this.received;
	}
}

const status = (reply) => Number(/^HTTP\/1\.[01] (\d+)/.exec(reply)?.[1]);

async function expectAlive(node) {
	assert.match(await node.rpc("eth_blockNumber"), /^0x/);
}

const post = (url, body, headers = {}) => request(url, { body, headers: { ...json, ...headers } });

async function errorOf(url, body) {
	const reply = await post(url, body);
	assert.equal(reply.status, 200);
	return JSON.parse(reply.body);
}

function jsonRpcCases(node) {
	const refused = (name, body, code) => [name, async () => {
		const reply = await errorOf(node.url, body);
		assert.equal(reply.error?.code, code, JSON.stringify(reply));
		assert.ok(reply.error.message.length > 0);
	}];

	return [
		refused("an empty body is not JSON", "", -32700),
		refused("garbage is not JSON", "\x00\xff\xfe{{{{", -32700),
		refused("JSON that is cut off is not JSON", call("eth_blockNumber").slice(0, -3), -32700),
		refused("JSON with something behind it is not JSON", `${call("eth_blockNumber")} x`, -32700),
		refused("a key that stands twice is refused", '{"id":1,"id":2,"jsonrpc":"2.0","method":"eth_chainId"}', -32700),
		refused("deep nesting is refused", "[".repeat(100000), -32700),
		refused("a number is not a request", "17", -32600),
		refused("an empty batch is not a request", "[]", -32600),
		refused("a batch over the limit is refused", `[${Array(1001).fill(call("eth_chainId")).join()}]`, -32600),
		refused("a method that is a number is not a request", '{"jsonrpc":"2.0","id":1,"method":3}', -32600),
		refused("an unknown method is named", call("eth_nothing"), -32601),
		refused("a missing parameter is found", call("eth_getBalance"), -32602),
		refused("an address that is too short is found", call("eth_getBalance", "0x12", "latest"), -32602),
		refused("a quantity with a leading zero is found", call("eth_getBlockByNumber", "0x01x", false), -32602),
		["ids come back as they were, large ones too", async () => {
			for (const id of ["1", '"text"', "null", "9007199254740993", "-1"]) {
				const { body } = await post(node.url, `{"jsonrpc":"2.0","id":${id},"method":"eth_chainId"}`);
				assert.ok(body.includes(`"id":${id}`), body);
			}
		}],
		["a notification has no answer, a batch answers the rest", async () => {
			const { body } = await post(node.url,
				`[{"jsonrpc":"2.0","method":"eth_chainId"},${call("eth_chainId")},7]`);
			const replies = JSON.parse(body);
			assert.equal(replies.length, 2);
			assert.ok(replies.some((reply) => reply.result === "0x7a69"));
			assert.ok(replies.some((reply) => reply.error?.code === -32600));
		}],
		["where there are only notifications the answer is empty, 204", async () => {
			const one = '{"jsonrpc":"2.0","method":"eth_chainId"}';
			for (const text of [one, `[${one},${one}]`]) {
				const { status, body } = await post(node.url, text);
				assert.equal(status, 204);
				assert.equal(body, "");
			}
		}],
	];
}

function webCases(node) {
	const { port } = new URL(node.url);
	const withHost = (host) => post(node.url, call("eth_chainId"), { Host: host });
	const withOrigin = (origin) => post(node.url, call("eth_chainId"), { Origin: origin });

	return [
		["another host's name is refused (DNS rebinding)", async () => {
			for (const host of ["evil.example", `evil.example:${port}`, "localhost.evil.example"]) {
				const reply = await withHost(host);
				assert.equal(reply.status, 403, host);
				assert.match(reply.body, /http-hosts|Host/);
			}
		}],
		["localhost, addresses and names that were allowed are served", async () => {
			for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, "[::1]", "node.example"])
				assert.equal((await withHost(host)).status, 200, host);
		}],
		["an unknown web page may not call", async () => {
			const reply = await withOrigin("https://evil.example");
			assert.equal(reply.status, 403);
			assert.equal(reply.headers["access-control-allow-origin"], undefined);
		}],
		["a web page that was allowed may call and read", async () => {
			const reply = await withOrigin("https://wallet.example");
			assert.equal(reply.status, 200);
			assert.match(reply.headers["access-control-allow-origin"], /^(https:\/\/wallet\.example|\*)$/);
		}],
		["the preflight is answered", async () => {
			const reply = await request(node.url, { method: "OPTIONS", headers: {
				"Origin": "https://wallet.example", "Access-Control-Request-Method": "POST",
				"Access-Control-Request-Headers": "content-type",
			} });
			assert.ok(reply.status === 200 || reply.status === 204, String(reply.status));
			assert.match(reply.headers["access-control-allow-methods"], /POST/);
			assert.match(reply.headers["access-control-allow-headers"], /content-type/i);
		}],
		["other methods are refused", async () => {
			for (const method of ["PUT", "DELETE", "PATCH"])
				assert.equal((await request(node.url, { method })).status, 405);
		}],
		["an unknown path says what there is", async () => {
			const reply = await request(node.url, { method: "GET", path: "/nothing" });
			assert.equal(reply.status, 404);
			assert.match(reply.body, /liveness/);
		}],
		["/liveness and /readiness", async () => {
			assert.equal((await request(node.url, { method: "GET", path: "/liveness" })).status, 200);
			const get = (query) => request(node.url, { method: "GET", path: `/readiness${query}` });
			const ready = await get("?minPeers=0&maxBlocksBehind=2");
			assert.equal(ready.status, 200);
			assert.equal(JSON.parse(ready.body).status, "UP");
			assert.equal((await get("?minPeers=1")).status, 503, "it has no peers");
			assert.equal((await get("?minPeers=x")).status, 400);
		}],
		["/metrics are Prometheus' text, and count", async () => {
			const read = async () => {
				const reply = await request(node.url, { method: "GET", path: "/metrics" });
				assert.equal(reply.status, 200);
				const lines = reply.body.split("\n").filter((line) => line && !line.startsWith("#"));
				for (const line of lines) assert.match(line, /^weftd_[a-z0-9_]+(\{[^}]*\})? -?[0-9.e+]+$/);
				return new Map(lines.map((line) => line.split(" ")));
			};
			assert.ok((await read()).size >= 5);
		}],
	];
}

function hostileCases(node) {
	const head = (length) => `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
		`Content-Length: ${length}\r\n\r\n`;

	return [
		["what is not HTTP is refused", async () => {
			for (const bytes of ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "hello\r\n\r\n", "\0".repeat(5000)]) {
				const reply = await new Raw(node.url).exchange(Buffer.from(bytes, "latin1"));
				assert.ok(reply === "" || status(reply) === 400 || status(reply) === 505, reply.slice(0, 60));
			}
		}],
		["a body over the limit is refused before it is sent", async () => {
			const reply = await new Raw(node.url).exchange(head(bodyMax + 1));
			assert.equal(status(reply), 413);
		}],
		["a length of 2^64 is refused", async () => {
			const reply = await new Raw(node.url).exchange(head("18446744073709551616"));
			assert.ok([400, 413].includes(status(reply)), reply.slice(0, 60));
		}],
		["an endless chunked body is cut off", async () => {
			const raw = new Raw(node.url);
			let isOpen = true;
			raw.closed.then(() => (isOpen = false));
			raw.socket.write("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
			for (let i = 0; i < 200 && isOpen; i++) {
				raw.socket.write(`4000\r\n${" ".repeat(0x4000)}\r\n`);
				await sleep(1);
			}
			const reply = await raw.exchange();
			assert.ok(reply === "" || [400, 411, 413, 501].includes(status(reply)), reply.slice(0, 60));
		}],
		["an endless header is cut off", async () => {
			const reply = await new Raw(node.url).exchange("GET / HTTP/1.1\r\nHost: localhost\r\nX: ", "x".repeat(100000));
			assert.ok(reply === "" || [400, 413, 431].includes(status(reply)), reply.slice(0, 60));
		}],
		["two lengths that differ are refused (request smuggling)", async () => {
			const reply = await new Raw(node.url).exchange(
				"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]x");
			assert.equal(status(reply), 400);
		}],
		["forty half-sent requests disturb nobody", async () => {
			const half = Array.from({ length: 40 }, (_, i) => {
				const raw = new Raw(node.url);
				raw.socket.write(i % 2 ? head(1000) + "{" : "POST / HTTP/1.1\r\nHo");
				return raw;
			});
			await sleep(100);
			for (let i = 0; i < 20; i++) await expectAlive(node);
			for (const { socket } of half) socket.destroy();
		}],
		["connections over the limit are refused, and make room when they go", async () => {
			const held = Array.from({ length: 200 }, () => new Raw(node.url));
			await sleep(300);
			for (const { socket } of held) socket.destroy();
			await sleep(300);
			await expectAlive(node);
		}],
		["a client that goes before its answer disturbs nobody", async () => {
			for (let i = 0; i < 50; i++) {
				const raw = new Raw(node.url);
				const body = call("eth_getBlockByNumber", "0x0", true);
				raw.socket.write(head(body.length) + body, () => raw.socket.destroy());
				await raw.closed;
			}
			await expectAlive(node);
		}],
		["requests in a row on one connection are answered in order", async () => {
			const raw = new Raw(node.url);
			const one = (id) => {
				const body = `{"jsonrpc":"2.0","id":${id},"method":"eth_chainId"}`;
				return head(body.length) + body;
			};
			raw.socket.write(one(1) + one(2) + one(3));
			await sleep(1000);
			raw.socket.destroy();
			const ids = [...raw.received.matchAll(/"id":(\d)/g)].map((match) => match[1]);
			assert.deepEqual(ids, ["1", "2", "3"]);
		}],
	];
}

await suite("http", async () => {
	const node = await new Weftd(["--dev", "--http-hosts", "node.example", "--http-origins", "https://wallet.example"]).start();
	for (const [name, fn] of [...jsonRpcCases(node), ...webCases(node), ...hostileCases(node)])
		await test(`http: ${name}`, async () => {
			await fn();
			await expectAlive(node);
		});
	await test("http: the node that met all this ends cleanly", async () => {
		assert.deepEqual(await node.end(), { code: 0, signal: null });
	});
});
