// viem as an application uses it, against `weftd --dev`.
import assert from "node:assert/strict";
import {
	InsufficientFundsError, IntrinsicGasTooLowError, NonceTooLowError, createPublicClient,
	createWalletClient, defineChain, http, parseAbi, parseEther, parseGwei,
} from "viem";
import { generatePrivateKey, mnemonicToAccount, privateKeyToAccount } from "viem/accounts";
import { Weftd, failure, suite, test } from "./lib.mjs";
import { contractAbi, devPhrase, validatorsAddress } from "./known.mjs";

const fresh = () => privateKeyToAccount(generatePrivateKey()).address;
const abi = parseAbi(contractAbi);

async function checkTransfer({ client, wallet, account }, fields, gas) {
	const to = fresh(), value = parseEther("0.5") + 7n;
	const before = await client.getBalance({ address: account.address });
	const nonce = await client.getTransactionCount({ address: account.address });
	const hash = await wallet.sendTransaction({ account, to, value, ...fields });
	const receipt = await client.waitForTransactionReceipt({ hash });
	const mined = await client.getTransaction({ hash });
	const block = await client.getBlock({ blockHash: receipt.blockHash, includeTransactions: true });

	assert.equal(receipt.status, "success");
	assert.equal(receipt.type, fields.type);
	assert.equal(receipt.gasUsed, gas);
	assert.equal(receipt.contractAddress, null);
	assert.equal(receipt.from, account.address.toLowerCase());
	assert.equal(mined.type, fields.type);
	assert.equal(mined.nonce, nonce);
	assert.equal(mined.value, value);
	assert.equal(mined.gasPrice, receipt.effectiveGasPrice);
	assert.equal(block.transactions[receipt.transactionIndex].hash, hash);
	if (fields.type === "eip1559") {
		const most = block.baseFeePerGas + mined.maxPriorityFeePerGas;
		assert.equal(receipt.effectiveGasPrice, most < mined.maxFeePerGas ? most : mined.maxFeePerGas);
	}
	assert.equal(await client.getBalance({ address: to }), value);
	assert.equal(await client.getBalance({ address: account.address }),
		before - value - receipt.gasUsed * receipt.effectiveGasPrice);
	assert.equal(await client.getTransactionCount({ address: account.address }), nonce + 1);
}

/** The error, or one that it wraps, is of this class, and its text is there. */
async function refusal(promise, kind, text) {
	const error = await failure(promise);
	if (kind) assert.ok(error.walk((e) => e instanceof kind), error.message);
	assert.match(error.message, text);
}

function cases({ client, wallet, accounts, chain }) {
	const at = (i) => ({ client, wallet, account: accounts[i] });
	const raw = async (fields) => wallet.sendRawTransaction({
		serializedTransaction: await accounts[6].signTransaction({
			chainId: chain.id, type: "eip1559", to: fresh(), gas: 21000n, maxFeePerGas: parseGwei("5"),
			maxPriorityFeePerGas: parseGwei("1"),
			nonce: await client.getTransactionCount({ address: accounts[6].address }), ...fields,
		}),
	});

	return [
		["connects and finds the chain", async () => {
			assert.equal(await client.getChainId(), chain.id);
			assert.ok(await client.getBlockNumber({ cacheTime: 0 }) >= 0n);
		}],
		["accounts are funded", async () => {
			for (const { address } of accounts)
				assert.equal(await client.getBalance({ address }), parseEther("10000"));
		}],
		["sends a type 0 transfer", () => checkTransfer(at(0), { type: "legacy" }, 21000n)],
		["sends a type 1 transfer with an access list", () =>
			checkTransfer(at(0), {
				type: "eip2930", accessList: [{ address: validatorsAddress, storageKeys: [`0x${"00".repeat(32)}`] }],
			}, 21000n + 2400n + 1900n)],
		["sends a type 2 transfer", () => checkTransfer(at(0), { type: "eip1559" }, 21000n)],
		["sends a type 2 transfer with data", () =>
			checkTransfer(at(0), { type: "eip1559", data: "0xdeadbeef" }, 21000n + 160n)],
		["fills in what is not given", async () => {
			const filled = await wallet.prepareTransactionRequest({ account: accounts[1], to: fresh(), value: 1n });
			assert.equal(filled.type, "eip1559");
			assert.equal(filled.nonce, 0);
			assert.equal(filled.gas, 21000n);
			assert.ok(filled.maxFeePerGas >= parseGwei("1"));
		}],
		["waits for confirmations", async () => {
			const hash = await wallet.sendTransaction({ account: accounts[1], to: fresh(), value: 1n });
			const receipt = await client.waitForTransactionReceipt({ hash, confirmations: 5 });
			assert.ok(await client.getTransactionConfirmations({ transactionReceipt: receipt }) >= 5n);
		}],
		["fifty transfers in batches", async () => {
			const account = accounts[2], to = fresh();
			const hashes = await Promise.all(Array.from({ length: 50 }, (_, nonce) =>
				wallet.sendTransaction({ account, to, value: 3n, nonce, gas: 21000n, maxFeePerGas: parseGwei("5"),
					maxPriorityFeePerGas: parseGwei("1") })));
			const receipts = await Promise.all(hashes.map((hash) => client.waitForTransactionReceipt({ hash })));
			assert.ok(receipts.every(({ status }) => status === "success"));
			assert.equal(await client.getBalance({ address: to }), 150n);
			const paid = receipts.reduce((sum, r) => sum + r.gasUsed * r.effectiveGasPrice, 0n);
			assert.equal(await client.getBalance({ address: account.address }), parseEther("10000") - 150n - paid);
		}],
		["the pending nonce counts what waits", async () => {
			const { address } = accounts[3];
			const last = await wallet.sendTransaction({ account: accounts[3], to: fresh(), nonce: 1, gas: 21000n });
			assert.equal(await client.getTransactionCount({ address, blockTag: "pending" }), 0);
			await wallet.sendTransaction({ account: accounts[3], to: fresh(), nonce: 0, gas: 21000n });
			assert.equal(await client.getTransactionCount({ address, blockTag: "pending" }), 2);
			await client.waitForTransactionReceipt({ hash: last });
		}],
		["blocks by number, hash and tag are the same", async () => {
			const latest = await client.getBlock();
			assert.deepEqual(await client.getBlock({ blockNumber: latest.number }), latest);
			assert.deepEqual(await client.getBlock({ blockHash: latest.hash }), latest);
			for (const blockTag of ["safe", "finalized"])
				assert.ok((await client.getBlock({ blockTag })).number >= latest.number, "all blocks are final");
			assert.equal((await client.getBlock({ blockTag: "earliest" })).number, 0n);
			assert.equal(await client.getBlockTransactionCount({ blockNumber: 0n }), 0);
		}],
		["fees: history, estimate, gas price", async () => {
			const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [25, 75] });
			assert.equal(history.baseFeePerGas.length, history.gasUsedRatio.length + 1);
			assert.ok(history.reward.every((row) => row.length === 2));
			const fees = await client.estimateFeesPerGas();
			assert.ok(fees.maxFeePerGas > fees.maxPriorityFeePerGas);
			assert.ok(await client.getGasPrice() >= parseGwei("1"));
		}],
		["estimates gas", async () => {
			assert.equal(await client.estimateGas({ account: accounts[5], to: fresh(), value: 1n }), 21000n);
		}],
		["reads the native validators contract", async () => {
			const call = { address: validatorsAddress, abi };
			const [[addresses, weights], total] = await Promise.all([
				client.readContract({ ...call, functionName: "getValidators" }),
				client.readContract({ ...call, functionName: "totalWeight" }),
			]);
			assert.equal(addresses.length, weights.length);
			assert.equal(weights.reduce((a, b) => a + b), total);
			assert.equal(await client.readContract({ ...call, functionName: "weightOf", args: [addresses[0]] }), weights[0]);
		}],
		["gets proofs in the shape it knows", async () => {
			const proof = await client.getProof({ address: validatorsAddress, storageKeys: [`0x${"00".repeat(32)}`] });
			assert.equal(proof.address, validatorsAddress);
			assert.ok(proof.accountProof.length > 0);
			assert.equal(proof.storageProof[0].value, 1n, "one validator");
		}],
		["watches blocks", async () => {
			const seen = await new Promise((resolve, reject) => {
				const unwatch = client.watchBlocks({
					pollingInterval: 100, emitOnBegin: true,
					onBlock: (block) => { unwatch(); resolve(block); }, onError: reject,
				});
			});
			assert.match(seen.hash, /^0x[0-9a-f]{64}$/);
		}],
		["a nonce that is used is refused", () => refusal(
			wallet.sendTransaction({ account: accounts[0], to: fresh(), nonce: 0, gas: 21000n }),
			NonceTooLowError, /nonce/i)],
		["a value that the account does not have is refused", () => refusal(
			wallet.sendTransaction({ account: accounts[5], to: fresh(), value: parseEther("20000"), gas: 21000n }),
			InsufficientFundsError, /insufficient funds|exceeds the balance/)],
		["gas below the intrinsic cost is refused", () => refusal(
			wallet.sendTransaction({ account: accounts[5], to: fresh(), gas: 20000n }),
			IntrinsicGasTooLowError, /too low/)],
		["another chain's transaction is refused", () => refusal(raw({ chainId: 1 }), null, /chain id/)],
		["a replacement must pay more", async () => {
			const nonce = await client.getTransactionCount({ address: accounts[6].address }) + 1;
			await raw({ nonce });
			await refusal(raw({ nonce, value: 1n }), null, /replacement transaction underpriced/);
			await raw({ nonce, value: 1n, maxFeePerGas: parseGwei("6"), maxPriorityFeePerGas: parseGwei("2") });
		}],
	];
}

await suite("viem", async () => {
	const node = await new Weftd(["--dev"]).start();
	const chain = defineChain({
		id: 31337, name: "Weft", nativeCurrency: { name: "Weft", symbol: "WEFT", decimals: 18 },
		rpcUrls: { default: { http: [node.url] } },
	});
	const options = { chain, transport: http(node.url, { batch: true }), pollingInterval: 100, cacheTime: 0 };
	const accounts = Array.from({ length: 10 }, (_, addressIndex) => mnemonicToAccount(devPhrase, { addressIndex }));
	const context = { client: createPublicClient(options), wallet: createWalletClient(options), accounts, chain };

	for (const [name, fn] of cases(context)) await test(`viem: ${name}`, fn);
	await node.end();
});
