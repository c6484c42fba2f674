// What a client can verify by itself, in JavaScript and with an npm trie library:
// block hashes, roots, proofs, certificates, the history. Nothing here asks the
// node whether it is right.
import assert from "node:assert/strict";
import { createMPT, verifyMerkleProof } from "@ethereumjs/mpt";
import { RLP } from "@ethereumjs/rlp";
import {
	HDNodeWallet, JsonRpcProvider, Mnemonic, Signature, Transaction, Wallet, concat, getBytes, hexlify,
	keccak256, parseEther, recoverAddress, sha256, toBeHex, toUtf8Bytes, zeroPadValue,
} from "ethers";
import { Weftd, failure, suite, test, until } from "./lib.mjs";
import {
	beaconRootsAddress, devChainId, devPhrase, historyAddress, ringLength, validatorsAddress,
} from "./known.mjs";

const emptyRoot = keccak256("0x80");
const emptyOmmers = keccak256("0xc0");
const emptyCode = keccak256("0x");

/** A QUANTITY as RLP has it: no leading zero, and zero is empty. */
const number = (quantity) => BigInt(quantity) === 0n ? new Uint8Array() : getBytes(toBeHex(BigInt(quantity)));
const rlp = (items) => hexlify(RLP.encode(items));
const word = (value) => zeroPadValue(toBeHex(value), 32);

// --- what a header's fields hash to ---

function headerRlp(b) {
	return rlp([
		b.parentHash, b.sha3Uncles, b.miner, b.stateRoot, b.transactionsRoot, b.receiptsRoot, b.logsBloom,
		number(b.difficulty), number(b.number), number(b.gasLimit), number(b.gasUsed), number(b.timestamp),
		b.extraData, b.mixHash, b.nonce, number(b.baseFeePerGas), b.withdrawalsRoot, number(b.blobGasUsed),
		number(b.excessBlobGas), b.parentBeaconBlockRoot, b.requestsHash,
	]);
}

/** The root of a list as Ethereum has it: rlp(index) → value. */
async function listRoot(values) {
	const trie = await createMPT();
	for (const [index, value] of values.entries()) await trie.put(RLP.encode(index), getBytes(value));
	return hexlify(trie.root());
}

function transactionBytes(t) {
	return Transaction.from({
		type: Number(t.type), to: t.to, nonce: Number(t.nonce), gasLimit: t.gas, data: t.input, value: t.value,
		chainId: BigInt(t.chainId ?? 0),
		...(t.type === "0x2"
			? { maxFeePerGas: t.maxFeePerGas, maxPriorityFeePerGas: t.maxPriorityFeePerGas }
			: { gasPrice: t.gasPrice }),
		...(t.type === "0x0" ? {} : { accessList: t.accessList }),
		signature: Signature.from({ r: word(t.r), s: word(t.s), v: t.yParity ? 27 + Number(t.yParity) : BigInt(t.v) }),
	}).serialized;
}

function receiptBytes(r) {
	const body = rlp([
		number(r.status), number(r.cumulativeGasUsed), r.logsBloom,
		r.logs.map((log) => [log.address, log.topics, log.data]),
	]);
	return r.type === "0x0" ? body : concat([toBeHex(r.type), body]);
}

const withdrawalBytes = (w) => rlp([number(w.index), number(w.validatorIndex), w.address, number(w.amount)]);

async function checkBlock(node, height) {
	const b = await node.rpc("eth_getBlockByNumber", toBeHexQuantity(height), true);
	const receipts = await node.rpc("eth_getBlockReceipts", b.number);
	const header = headerRlp(b);

	assert.equal(keccak256(header), b.hash, `block ${height}: keccak256(rlp(header))`);
	assert.equal(await node.rpc("debug_getRawHeader", b.number), header);
	assert.equal(b.sha3Uncles, emptyOmmers);
	assert.equal(b.requestsHash, sha256("0x"));
	for (const t of b.transactions) assert.equal(keccak256(transactionBytes(t)), t.hash);
	assert.equal(await listRoot(b.transactions.map(transactionBytes)), b.transactionsRoot, "transactionsRoot");
	assert.equal(await listRoot(receipts.map(receiptBytes)), b.receiptsRoot, "receiptsRoot");
	assert.equal(await listRoot(b.withdrawals.map(withdrawalBytes)), b.withdrawalsRoot, "withdrawalsRoot");
	assert.equal(receipts.length, b.transactions.length);
	const gas = receipts.reduce((sum, r) => sum + BigInt(r.gasUsed), 0n);
	assert.equal(gas, BigInt(b.gasUsed));
	return b;
}

const toBeHexQuantity = (n) => `0x${BigInt(n).toString(16)}`;

// --- eth_getProof ---

/** A proof and the header it belongs to; a newer block may come between the two. */
async function provedAt(node, address, slots) {
	return until("a proof before the next block", async () => {
		const b = await node.rpc("eth_getBlockByNumber", "latest", false);
		try {
			return { b, proof: await node.rpc("eth_getProof", address, slots, b.number) };
		} catch (error) {
			if (!/newest block only/.test(error.message)) throw error;
		}
	});
}

const proven = (root, key, nodes) =>
	verifyMerkleProof(getBytes(key), nodes.map(getBytes), { root: getBytes(root), useKeyHashing: true });

/** The account as the trie has it; checks what the reply says beside. */
async function verifyAccount(b, proof) {
	assert.equal(keccak256(proof.accountProof[0]), b.stateRoot, "the first node is the root");
	const leaf = await proven(b.stateRoot, proof.address, proof.accountProof);
	if (leaf === null) {
		assert.deepEqual([BigInt(proof.nonce), BigInt(proof.balance), proof.storageHash, proof.codeHash],
			[0n, 0n, emptyRoot, emptyCode]);
		return null;
	}
	const expected = rlp([number(proof.nonce), number(proof.balance), proof.storageHash, proof.codeHash]);
	assert.equal(hexlify(leaf), expected);
	return proof;
}

async function verifySlot(proof, index) {
	const { key, value, proof: nodes } = proof.storageProof[index];
	if (proof.storageHash === emptyRoot) return assert.deepEqual([BigInt(value), nodes.length], [0n, 0]);
	const leaf = await proven(proof.storageHash, word(key), nodes);
	assert.equal(BigInt(value), leaf === null ? 0n : BigInt(hexlify(RLP.decode(leaf))));
	return BigInt(value);
}

// --- certificates and the history ---

/** What a validator signs to commit a block (src/chain/certificate.h, domain.h). */
const commitDigest = (c) => keccak256(rlp([
	toUtf8Bytes("weft/commit"), number(devChainId), c.validatorsHash, number(c.height), number(c.view), c.blockHash,
]));

const validatorsHash = (set) => keccak256(rlp(set.validators.map((v) => [v.address, number(v.weight)])));

const commitmentsRlp = (c) => rlp([
	number(c.version), number(c.timeMs), c.validatorsHash, c.nextValidatorsHash, c.historyRoot,
	[number(c.milestoneIndex), c.witnessesRoot, c.confirmedRoot, number(c.confirmedCount)],
]);

/** The root of the mountain range over `hashes` (src/crypto/mmr.h), from the definition. */
function historyRoot(hashes) {
	const node = (left, right) => keccak256(concat(["0x01", left, right]));
	const mountain = (leaves) => leaves.length === 1
		? keccak256(concat(["0x00", leaves[0]]))
		: node(mountain(leaves.slice(0, leaves.length / 2)), mountain(leaves.slice(leaves.length / 2)));
	const peaks = [];
	for (let at = 0; at < hashes.length;) {
		const size = 2 ** Math.floor(Math.log2(hashes.length - at));
		peaks.push(mountain(hashes.slice(at, at + size)));
		at += size;
	}
	return peaks.length ? peaks.reduceRight((right, left) => node(left, right)) : word(0);
}

async function checkCertificate(node, b, hashes) {
	const c = await node.rpc("weft_getCertificate", b.number);
	const set = await node.rpc("weft_validators", b.number);
	const members = new Map(set.validators.map((v) => [v.address, v]));
	let weight = 0n;

	assert.equal(validatorsHash(set), set.hash);
	assert.equal(c.validatorsHash, set.hash);
	assert.equal(c.blockHash, b.hash);
	assert.equal(BigInt(c.height), BigInt(b.number));
	for (const signer of c.signers) {
		const [r, s, parity] = [0, 32, 64].map((at) => hexlify(getBytes(signer.signature).slice(at, at + 32)));
		const address = recoverAddress(commitDigest(c), { r, s, yParity: Number(parity) }).toLowerCase();
		assert.equal(address, signer.address);
		weight += BigInt(members.get(address).weight);
		members.delete(address); // none counts twice
	}
	const total = set.validators.reduce((sum, v) => sum + BigInt(v.weight), 0n);
	assert.ok(weight >= total - (total - 1n) / 3n, "a quorum has signed");

	assert.equal(commitmentsRlp(c.commitments), c.commitments.raw);
	assert.equal(keccak256(c.commitments.raw), b.extraData, "extraData stands for the commitments");
	assert.equal(c.commitments.validatorsHash, set.hash);
	assert.equal(BigInt(c.commitments.timeMs) / 1000n, BigInt(b.timestamp));
	assert.equal(c.commitments.historyRoot, historyRoot(hashes.slice(0, Number(b.number))));
}

// --- the cases ---

async function makeBlocks(node, provider) {
	const wallet = HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(devPhrase), "m/44'/60'/0'/0/0").connect(provider);
	const to = Wallet.createRandom().address;
	const accessList = [{ address: to, storageKeys: [word(1), word(2)] }];
	const nonce = await wallet.getNonce();
	const kinds = [{ type: 0 }, { type: 1, accessList }, { type: 2, data: "0xc0ffee" }, { type: 2, accessList }];
	const raws = await Promise.all(Array.from({ length: 150 }, async (_, i) => wallet.signTransaction({
		...await wallet.populateTransaction({ to, value: parseEther("0.001"), gasLimit: 40000, nonce: nonce + i,
			...kinds[i % kinds.length] }),
	})));
	// More than 128 in one block, so that its lists have indexes of two bytes.
	const replies = await node.batch(raws.slice(1).map((raw) => ["eth_sendRawTransaction", raw]));
	assert.ok(replies.every((reply) => reply.result), JSON.stringify(replies.find((reply) => !reply.result)));
	await node.rpc("eth_sendRawTransaction", raws[0]);
	await until("all transfers", async () => await wallet.getNonce() === nonce + raws.length);
	await until("a few empty blocks", async () => BigInt(await node.rpc("eth_blockNumber")) > 5n);
	return to;
}

await suite("proofs", async () => {
	const node = await new Weftd(["--dev"]).start();
	const provider = new JsonRpcProvider(node.url, undefined, { cacheTimeout: -1 });
	const to = await makeBlocks(node, provider);
	const newest = Number(await node.rpc("eth_blockNumber"));
	const blocks = [];

	await test("proofs: keccak256(rlp(header)) and all roots, from genesis on, computed in JavaScript", async () => {
		for (let height = 0; height <= newest; height++) {
			const b = await checkBlock(node, height);
			if (height) assert.equal(b.parentHash, blocks[height - 1].hash);
			blocks.push(b);
		}
		const sizes = blocks.map((b) => b.transactions.length);
		assert.ok(Math.max(...sizes) > 128, `the largest block has ${Math.max(...sizes)} transactions`);
		return `${blocks.length} blocks, ${sizes.reduce((a, b) => a + b)} transactions`;
	});
	await test("proofs: a header with one field changed has another hash", async () => {
		for (const field of ["stateRoot", "number", "extraData", "parentBeaconBlockRoot", "gasLimit"]) {
			const b = { ...blocks[newest] };
			b[field] = b[field].replace(/.$/, (digit) => (parseInt(digit, 16) ^ 1).toString(16));
			assert.notEqual(keccak256(headerRlp(b)), b.hash);
		}
	});
	await test("proofs: every block carries its parent's commitments", async () => {
		for (let height = 1; height <= newest; height++)
			assert.equal(blocks[height].parentBeaconBlockRoot, blocks[height - 1].extraData);
	});

	const accountCases = [
		["an account with a balance", () => to, true],
		["a contract", () => validatorsAddress, true],
		["an account that is not there", () => Wallet.createRandom().address, false],
	];
	for (const [name, address, exists] of accountCases)
		await test(`proofs: eth_getProof of ${name} verifies`, async () => {
			const { b, proof } = await provedAt(node, address(), []);
			const found = await verifyAccount(b, proof);
			assert.equal(found !== null, exists);
			if (exists) {
				const balance = await node.rpc("eth_getBalance", proof.address, b.number);
				assert.equal(BigInt(proof.balance), BigInt(balance));
			}
		});
	await test("proofs: a proof does not verify against another root, nor with a byte changed", async () => {
		const { proof } = await provedAt(node, to, []);
		await failure(proven(blocks[0].stateRoot, to, proof.accountProof));
		const last = proof.accountProof.length - 1;
		const forged = [...proof.accountProof];
		forged[last] = forged[last].replace(/.$/, (digit) => (parseInt(digit, 16) ^ 1).toString(16));
		await failure(proven(keccak256(proof.accountProof[0]), to, forged));
	});
	await test("proofs: slots of the validators contract verify, used and unused", async () => {
		const set = await node.rpc("weft_validators");
		const first = keccak256(concat([word(0), toUtf8Bytes("validator")]));
		const weight = keccak256(concat([zeroPadValue(set.validators[0].address, 32), toUtf8Bytes("weight")]));
		const { b, proof } = await provedAt(node, validatorsAddress, [word(0), word(1), first, weight, word(12345)]);
		assert.ok(await verifyAccount(b, proof));
		const values = [];
		for (let i = 0; i < 5; i++) values.push(await verifySlot(proof, i));
		assert.deepEqual(values, [1n, BigInt(set.totalWeight), BigInt(set.validators[0].address),
			BigInt(set.validators[0].weight), 0n]);
	});
	await test("proofs: EIP-2935 keeps the parent's hash", async () => {
		const at = BigInt(await node.rpc("eth_blockNumber"));
		const slots = [0n, 1n, 2n].map((back) => word((at - 1n - back) % ringLength));
		const { b, proof } = await provedAt(node, historyAddress, slots);
		assert.ok(await verifyAccount(b, proof));
		for (let i = 0; i < 3; i++) {
			const height = at - 1n - BigInt(i);
			const { hash } = await node.rpc("eth_getBlockByNumber", toBeHexQuantity(height), false);
			assert.equal(await verifySlot(proof, i), BigInt(hash));
		}
	});
	await test("proofs: EIP-4788 keeps the parent's commitments", async () => {
		// By the second: of blocks with one time the last one's stand there.
		const { b } = await provedAt(node, beaconRootsAddress, []);
		const time = BigInt(b.timestamp) % ringLength;
		const { b: now, proof } = await provedAt(node, beaconRootsAddress, [word(time), word(time + ringLength)]);
		assert.ok(await verifyAccount(now, proof));
		assert.equal(await verifySlot(proof, 0), BigInt(b.timestamp));
		if (now.timestamp === b.timestamp)
			assert.equal(await verifySlot(proof, 1), BigInt(now.parentBeaconBlockRoot));
	});
	await test("proofs: an account without storage has empty slot proofs", async () => {
		const { b, proof } = await provedAt(node, to, [word(0)]);
		assert.ok(await verifyAccount(b, proof));
		await verifySlot(proof, 0);
	});
	await test("proofs: eth_getProof of an old block says that only the newest is proved", async () => {
		const error = await failure(node.rpc("eth_getProof", to, [], "0x1"));
		assert.match(error.message, /newest block only/);
	});

	await test("proofs: certificates, commitments and the history, verified in JavaScript", async () => {
		const hashes = blocks.map((b) => b.hash);
		assert.equal(await node.rpc("weft_getCertificate", "0x0"), null, "genesis is nobody's word");
		const genesis = await node.rpc("weft_getCommitments", "0x0");
		assert.equal(keccak256(commitmentsRlp(genesis)), blocks[0].extraData);
		for (const b of blocks.slice(1)) await checkCertificate(node, b, hashes);
		return `${blocks.length - 1} certificates`;
	});
	await test("proofs: a certificate's signature over another hash is not the validator's", async () => {
		const c = await node.rpc("weft_getCertificate", toBeHexQuantity(newest));
		const bytes = getBytes(c.signers[0].signature);
		const signature = { r: hexlify(bytes.slice(0, 32)), s: hexlify(bytes.slice(32, 64)), yParity: bytes[64] };
		const forged = commitDigest({ ...c, blockHash: blocks[0].hash });
		assert.notEqual(recoverAddress(forged, signature).toLowerCase(), c.signers[0].address);
	});
	provider.destroy();
	await node.end();
});
