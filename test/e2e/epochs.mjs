// The set of validators grows and shrinks by its own votes on a running net, under
// load: 1, 2, 4, 7, 4, 2. Everything goes through contrib/testnet, as an operator would do it;
// what is compared afterwards comes from every node.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import {
	Contract, HDNodeWallet, Interface, JsonRpcProvider, Mnemonic, Wallet, concat, keccak256, recoverAddress,
	Signature, toBeHex, toUtf8Bytes,
} from "ethers";
import { RLP } from "@ethereumjs/rlp";
import { batch, failure, freshDirectory, rpc, run, sleep, suite, test, until } from "./lib.mjs";
import { Load } from "./load.mjs";
import { addresses, basePort, hex, script, scriptEnv, testnet } from "./testnet.mjs";
import { contractAbi, devChainId, devPhrase, validatorsAddress } from "./known.mjs";

const epochLength = 60, epochMs = 1500;
const nodeCount = 7;

/** A running node of the net: what Load and the questions below need of it. */
class Node {
	constructor(dir, base, i) {
		this.url = `http://127.0.0.1:${base + i}`;
		this.address = fs.readFileSync(path.join(dir, `node${i}/address`), "utf8").trim();
		this.ended = new Promise(() => {});
	}

	rpc(method, ...params) {
		return rpc(this.url, method, ...params);
	}

	batch(calls) {
		return batch(this.url, calls);
	}
}

class Network {
	static async make() {
		const n = new Network();
		n.dir = path.join(freshDirectory("epochs"), "net");
		n.base = await basePort(nodeCount);
		n.nodes = [];
		await testnet(["init", "-n", "1", "--chain-id", String(devChainId), "--base-port", String(n.base),
			"--epoch-length", String(epochLength), "--epoch-ms", String(epochMs), n.dir]);
		await testnet(["up", n.dir]);
		n.note();
		return n;
	}

	note() {
		this.nodes.push(new Node(this.dir, this.base, this.nodes.length));
	}

	async add() {
		await testnet(["add", "--validator", this.dir]);
		this.note();
	}
}

const height = async (node) => Number(await node.rpc("eth_blockNumber"));

/** The addresses that decide the next block, as every node says. */
async function members(nodes) {
	const said = await Promise.all(nodes.map((node) => node.rpc("weft_validators", "pending")));
	return said.map(({ validators }) => validators.map(({ address }) => address).join(","));
}

/** All present members vote; whether it was agreed. The set may change between two votes, and a
 *  quorum be another, or a voter be none any more: then they have to vote again. */
async function vote(n, i, weight) {
	const said = await run(script, ["vote", String(i), String(weight), n.dir], { env: scriptEnv });
	assert.ok(said.code === 0 || /not a validator of this epoch|in the block and failed/.test(said.stderr), said.stdout + said.stderr);
	const { next } = await n.nodes[0].rpc("weft_validators", "pending");
	const member = next.validators.find(({ address }) => address === n.nodes[i].address.toLowerCase());
	return Number(member?.weight ?? 0) === weight;
}

/** Votes for nodes `from` … `to` - 1, and waits until exactly the first `count` are in the set everywhere. */
async function change(n, from, to, weight, count) {
	for (let i = from; i < to; i++) await until(`node ${i} to be voted on`, () => vote(n, i, weight));
	const wanted = n.nodes.slice(0, count).map(({ address }) => address.toLowerCase()).sort().join(",");
	await until(`${count} validators`, async () => (await members(n.nodes)).every((said) => said === wanted));
}

async function agree(nodes) {
	const top = Math.max(...await Promise.all(nodes.map(height)));
	await until(`all nodes at ${top}`, async () =>
		(await Promise.all(nodes.map(height))).every((h) => h >= top));
	const said = await Promise.all(nodes.map((node) => node.rpc("eth_getBlockByNumber", hex(top), false)));
	assert.equal(new Set(said.map(({ hash, stateRoot }) => hash + stateRoot)).size, 1);
	return top;
}

async function grow(n) {
	for (const [from, to] of [[1, 2], [2, 4], [4, 7]]) {
		while (n.nodes.length < to) await n.add();
		await change(n, from, to, 1, to);
	}
}

async function shrink(n) {
	await change(n, 4, 7, 0, 4);
	await change(n, 2, 4, 0, 2);
}

// --- what a client can check by itself ---


/** keccak256(rlp([[address, weight], …])) (src/chain/validators.h). */
const setHash = (validators) => keccak256(RLP.encode(validators.map(({ address, weight }) =>
	[address, toBeHex(BigInt(weight))])));

/** What a validator signs to commit a block (src/chain/certificate.h). */
function commitDigest(certificate) {
	const number = (v) => BigInt(v) === 0n ? new Uint8Array() : toBeHex(BigInt(v));
	return keccak256(RLP.encode([toUtf8Bytes("weft/commit"), toBeHex(devChainId), certificate.validatorsHash,
		number(certificate.height), number(certificate.view), certificate.blockHash]));
}

function checkSigners(certificate, validators) {
	let weight = 0n;
	for (const signer of certificate.signers) {
		const raw = signer.signature, member = validators[Number(signer.index)];
		const signature = Signature.from({ r: raw.slice(0, 66), s: `0x${raw.slice(66, 130)}`, v: 27 + Number(`0x${raw.slice(130)}`) });
		assert.equal(member.address, signer.address);
		assert.equal(recoverAddress(commitDigest(certificate), signature).toLowerCase(), signer.address);
		weight += BigInt(member.weight);
	}
	assert.ok(weight >= BigInt(certificate.quorumWeight), `block ${Number(certificate.height)}`);
}

/** Every block with the set of its height: the commitments hand one over to the next. */
async function checkChain(node, top) {
	const counts = [], epochs = new Set();
	let before;
	for (let at = 1; at <= top; at += 50) {
		const heights = Array.from({ length: Math.min(50, top - at + 1) }, (_, i) => hex(at + i));
		const replies = await node.batch(heights.flatMap((h) =>
			[["weft_validators", h], ["weft_getCertificate", h], ["weft_getCommitments", h]]));
		for (let i = 0; i < replies.length; i += 3) {
			const [set, certificate, commitments] = replies.slice(i, i + 3).map(({ result, error }) => {
				assert.ok(result, JSON.stringify(error));
				return result;
			});
			const h = Number(certificate.height);
			assert.equal(setHash(set.validators), commitments.validatorsHash, `block ${h}`);
			assert.equal(set.hash, certificate.validatorsHash);
			if (before) assert.equal(commitments.validatorsHash, before.nextValidatorsHash, `block ${h}`);
			if (h % 5 === 0 || !before || commitments.validatorsHash !== before.validatorsHash)
				checkSigners(certificate, set.validators);
			assert.ok(Number(set.firstBlock) <= h && h <= Number(set.dueBlock));
			if (counts.at(-1) !== set.validators.length) counts.push(set.validators.length);
			epochs.add(set.epoch);
			before = commitments;
		}
	}
	return { counts, epochs: epochs.size };
}

const abi = [
	...contractAbi,
	"function vote(address validator, uint256 weight)",
	"function nextValidators() view returns (address[] addresses, uint256[] weights)",
	"function voteOf(address validator, address voter) view returns (bool, uint256)",
	"function epoch() view returns (uint256)",
	"function epochStart() view returns (uint256 height, uint256 ms)",
	"event Voted(address indexed voter, address indexed validator, uint256 weight)",
	"event NextChanged(address indexed validator, uint256 weight)",
];

/** A wallet votes like any contract's user: estimate, receipt, logs. */
async function voteByWallet(n) {
	const provider = new JsonRpcProvider(n.nodes[0].url, undefined, { staticNetwork: true, polling: true, pollingInterval: 50 });
	const dir = path.join(n.dir, "node0/keys/keystore");
	const file = fs.readFileSync(path.join(dir, fs.readdirSync(dir)[0]), "utf8");
	const password = fs.readFileSync(path.join(n.dir, "node0/password"), "utf8").trim();
	const wallet = (await Wallet.fromEncryptedJson(file, password)).connect(provider);
	const contract = new Contract(validatorsAddress, abi, wallet);
	const subject = addresses[9];
	const sent = await contract.vote(subject, 3);
	const receipt = await sent.wait();
	assert.equal(receipt.status, 1);
	assert.equal(receipt.gasUsed, sent.gasLimit, "the estimate is the price");
	const logs = receipt.logs.map((log) => new Interface(abi).parseLog(log));
	assert.deepEqual(logs.map(({ name }) => name), ["Voted"], "one of two is no quorum");
	assert.deepEqual([...logs[0].args], [wallet.address, subject, 3n]);
	assert.deepEqual([...await contract.voteOf(subject, wallet.address)], [true, 3n]);
	const said = await n.nodes[1].rpc("weft_validators", "pending");
	assert.deepEqual(said.openVotes.filter(({ validator }) => validator === subject.toLowerCase()),
		[{ validator: subject.toLowerCase(), weight: "0x3", voters: [wallet.address.toLowerCase()], votedWeight: "0x1" }]);
	const stranger = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(devPhrase), "m/44'/60'/0'/0/8").connect(provider);
	const error = await failure(contract.connect(stranger).vote(subject, 3));
	assert.match(error.message, /the sender is not a validator of this epoch/);
	provider.destroy();
}

await suite("epochs", async () => {
	const n = await Network.make();
	const load = new Load(addresses);
	try {
		let isOver = false;
		const loading = (async () => {
			while (!isOver) {
				await load.align(n.nodes[0]);
				await load.run(n.nodes[0], sleep(300));
				await sleep(300); /* the machine's cores are the votes', too */
			}
		})();
		await test("epochs: 1, 2, 4, 7 validators, by votes under load", () => grow(n));
		await test("epochs: and back to 4 and 2", () => shrink(n));
		isOver = true;
		await loading;
		await test("epochs: all nodes have all of it, those that were removed, too", async () => {
			const top = await agree(n.nodes);
			for (const node of n.nodes) await load.checkAll(node);
			return `${load.seen.size} receipts in ${top} blocks`;
		});
		await test("epochs: every certificate is its own set's, every set the one that was announced", async () => {
			const top = await agree(n.nodes);
			const said = await Promise.all([n.nodes[0], n.nodes[6]].map((node) => checkChain(node, top)));
			assert.deepEqual(said[0].counts, said[1].counts);
			assert.deepEqual(said[0].counts.filter((c) => [1, 2, 4, 7].includes(c)).filter((c, i, all) => c !== all[i - 1]),
				[1, 2, 4, 7, 4, 2]);
			return `${said[0].epochs} epochs, ${said[0].counts.join(" ")} validators`;
		});
		await test("epochs: a wallet votes through the contract's ABI", () => voteByWallet(n));
		await test("epochs: all nodes start again, in their epoch", async () => {
			await testnet(["down", n.dir]);
			await testnet(["up", n.dir]);
			const before = await height(n.nodes[0]);
			await load.align(n.nodes[0]);
			await load.run(n.nodes[0], sleep(2500));
			assert.ok(await height(n.nodes[0]) > before + 5);
			await agree(n.nodes);
			assert.equal(new Set(await members(n.nodes)).size, 1);
		});
	} finally {
		load.close();
		await testnet(["down", n.dir]);
	}
});
