// proxy - the wires between the nodes of a test: every p2p connection of node i to
// node j runs through a port of ours, so that each direction of each pair can be slow
// or cut, while the processes know of nothing.
//
// What is cut is kept, not dropped: TCP would send it again, too. So a cut looks like
// packets that do not get through, and after healing they come; a connection is only
// made while both directions are open, as SYN and its answer need both.
import net from "node:net";

const heldMax = 16 << 20; // bytes that wait in one direction before the sender is no longer read

/** One direction of one connection: in order, `delayMs` late, not while cut. */
class Wire {
	constructor(rule, from, to) {
		this.rule = rule;
		this.from = from;
		this.to = to;
		this.waiting = []; // { at, chunk }; chunk null: the end
		this.size = 0;
		from.on("data", (chunk) => this.#put(chunk));
		from.on("end", () => this.#put(null));
		rule.wires.add(this);
	}

	#put(chunk) {
		this.waiting.push({ at: Date.now() + this.rule.delayMs, chunk });
		this.size += chunk?.length ?? 0;
		if (this.size > heldMax) this.from.pause();
		this.go();
	}

	go() {
		clearTimeout(this.timer);
		while (!this.rule.isCut && this.waiting.length) {
			const { at, chunk } = this.waiting[0], left = at - Date.now();
			if (left > 0) {
				this.timer = setTimeout(() => this.go(), left);
				return;
			}
			this.waiting.shift();
			this.size -= chunk?.length ?? 0;
			if (chunk) this.to.write(chunk);
			else this.to.end();
		}
		if (this.size <= heldMax && this.from.isPaused()) this.from.resume();
	}

	end() {
		clearTimeout(this.timer);
		this.rule.wires.delete(this);
	}
}

/** All wires among `count` nodes; node j listens at `target(j)`. */
export class Proxies {
	constructor(count, target) {
		this.count = count;
		this.target = target;
		this.rules = Array.from({ length: count }, () => Array.from({ length: count }, () =>
			({ delayMs: 0, isCut: false, wires: new Set() })));
		this.ports = Array.from({ length: count }, () => []);
		this.servers = [];
		this.pending = new Set(); // connections that can't be made yet
		this.sockets = new Set();
	}

	async start() {
		for (let i = 0; i < this.count; i++)
			for (let j = 0; j < this.count; j++)
				if (i !== j) await this.#listen(i, j);
		return this;
	}

	#listen(i, j) {
		const server = net.createServer({ allowHalfOpen: true }, (socket) => this.#accept(i, j, socket));
		this.servers.push(server);
		return new Promise((done, fail) => {
			server.once("error", fail);
			server.listen(0, "127.0.0.1", () => {
				this.ports[i][j] = server.address().port;
				done();
			});
		});
	}

	#accept(i, j, near) {
		const there = this.rules[i][j], back = this.rules[j][i];
		const connect = () => {
			if (there.isCut || back.isCut || near.destroyed) return near.destroyed;
			const far = net.connect({ port: this.target(j), host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
			const wires = [new Wire(there, near, far), new Wire(back, far, near)];
			const end = () => {
				for (const wire of wires) wire.end();
				near.destroy();
				far.destroy();
				this.sockets.delete(near);
				this.sockets.delete(far);
			};
			this.sockets.add(far);
			for (const socket of [near, far]) {
				socket.on("error", end);
				socket.on("close", end);
			}
			return true;
		};
		near.setNoDelay(true);
		near.on("error", () => {});
		this.sockets.add(near);
		if (!connect()) this.pending.add(connect);
	}

	/** What runs from node i to node j. */
	set(i, j, rule) {
		Object.assign(this.rules[i][j], rule);
		for (const wire of [...this.rules[i][j].wires]) wire.go();
		for (const connect of [...this.pending])
			if (connect()) this.pending.delete(connect);
	}

	/** Between each of `some` and each of `others`: "both", or only what the first send ("out") or hear ("in"). */
	cut(some, others, way = "both") {
		for (const i of some)
			for (const j of others) {
				if (i === j) continue;
				if (way !== "in") this.set(i, j, { isCut: true });
				if (way !== "out") this.set(j, i, { isCut: true });
			}
	}

	/** Everything is `delayMs` late in each direction. */
	slow(delayMs) {
		for (let i = 0; i < this.count; i++)
			for (let j = 0; j < this.count; j++)
				if (i !== j) this.set(i, j, { delayMs });
	}

	heal() {
		for (let i = 0; i < this.count; i++)
			for (let j = 0; j < this.count; j++)
				if (i !== j) this.set(i, j, { isCut: false, delayMs: 0 });
	}

	stop() {
		for (const server of this.servers) server.close();
		for (const socket of this.sockets) socket.destroy();
	}
}
