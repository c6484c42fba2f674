// ethers 6 as a wallet uses it, against `weftd --dev`.
import assert from "node:assert/strict";
import {
	AbstractProvider, Contract, FeeData, HDNodeWallet, JsonRpcProvider, Mnemonic, NonceManager, Wallet,
	ZeroHash, isError, parseEther, parseUnits, toQuantity,
} from "ethers";
import { Weftd, failure, suite, test, until } from "./lib.mjs";
import { contractAbi, devPhrase, validatorsAddress, deployerAddress } from "./known.mjs";

const gwei = (n) => parseUnits(String(n), "gwei");
const fresh = () => Wallet.createRandom().address;

/** What `address` has and owes before and after `fn`; fn gives receipts of its transactions. */
async function accountFor(provider, address, fn) {
	const balance = await provider.getBalance(address);
	const nonce = await provider.getTransactionCount(address);
	const sent = await fn(nonce);
	let due = 0n;
	for (const { receipt, value } of sent) due += value + receipt.gasUsed * receipt.gasPrice;
	assert.equal(await provider.getBalance(address), balance - due, "the sender pays value and gas, no more");
	assert.equal(await provider.getTransactionCount(address), nonce + sent.length);
}

/** Sends one transfer and checks everything that the chain says of it. */
async function checkTransfer(wallet, fields, gas) {
	const { provider } = wallet;
	const to = fresh();
	const value = parseEther("1.25") + 1n;
	await accountFor(provider, wallet.address, async (nonce) => {
		const sent = await wallet.sendTransaction({ to, value, ...fields });
		const receipt = await sent.wait();
		const block = await provider.getBlock(receipt.blockNumber, true);
		const mined = await provider.getTransaction(sent.hash);

		assert.equal(receipt.status, 1);
		assert.equal(receipt.type, fields.type);
		assert.equal(receipt.hash, sent.hash);
		assert.equal(receipt.from, wallet.address);
		assert.equal(receipt.to, to);
		assert.equal(receipt.contractAddress, null);
		assert.equal(receipt.gasUsed, gas);
		assert.deepEqual(receipt.logs, []);
		assert.equal(receipt.blockHash, block.hash);
		assert.equal(mined.hash, sent.hash);
		assert.equal(mined.nonce, nonce);
		assert.equal(mined.value, value);
		assert.equal(mined.type, fields.type);
		assert.equal(mined.chainId, 31337n);
		assert.equal(mined.from, wallet.address);
		assert.deepEqual(mined.signature.serialized, sent.signature.serialized);
		const inside = block.prefetchedTransactions[receipt.index];
		assert.equal(inside.hash, sent.hash);
		assert.equal(await provider.getBalance(to), value);

		if (fields.type === 2) {
			const most = block.baseFeePerGas + sent.maxPriorityFeePerGas;
			assert.equal(receipt.gasPrice, most < sent.maxFeePerGas ? most : sent.maxFeePerGas);
			assert.equal(mined.gasPrice, receipt.gasPrice, "a mined transaction's gasPrice is what was paid");
		} else {
			assert.equal(receipt.gasPrice, sent.gasPrice);
		}
		return [{ receipt, value }];
	});
}

async function refusal(promise, code, text) {
	const error = await failure(promise);
	const said = `${error.message} ${error.info?.error?.message ?? ""} ${error.error?.message ?? ""}`;
	if (code) assert.ok(isError(error, code), `${code} was expected: ${error.code}: ${said}`);
	assert.match(said, text);
	// −32603 would make viem send it again and again.
	assert.equal((error.info?.error ?? error.error).code, -32000, said);
}

function casesOfReading(provider, wallets) {
	return [
		["connects and finds the chain", async () => {
			assert.equal((await provider.getNetwork()).chainId, 31337n);
			assert.equal(await provider.send("net_version", []), "31337");
			assert.match(await provider.send("web3_clientVersion", []), /^weft\/v\d+\.\d+\.\d+\//);
			assert.equal(await provider.send("eth_syncing", []), false);
			assert.ok(await provider.getBlockNumber() >= 0);
		}],
		["ten accounts have 10000 coins each", async () => {
			for (const wallet of wallets)
				assert.equal(await provider.getBalance(wallet.address), parseEther("10000"));
		}],
		["unknown things are null, unknown state is an error", async () => {
			assert.equal(await provider.getBlock(ZeroHash), null);
			assert.equal(await provider.getBlock(1e9), null);
			assert.equal(await provider.getTransaction(ZeroHash), null);
			assert.equal(await provider.getTransactionReceipt(ZeroHash), null);
			assert.equal(await provider.getBalance(fresh()), 0n);
			assert.equal(await provider.getCode(wallets[0].address), "0x");
			await failure(provider.getBalance(wallets[0].address, 1e9));
		}],
		["the deterministic deployer is there", async () => {
			assert.match(await provider.getCode(deployerAddress), /^0x7fffffffffffffff/);
		}],
		["estimates gas", async () => {
			const from = wallets[0].address;
			assert.equal(await provider.estimateGas({ from, to: fresh(), value: 1n }), 21000n);
			// Four tokens for each non-zero byte and one for a zero, at the floor of EIP-7623.
			assert.equal(await provider.estimateGas({ from, to: fresh(), data: "0x0102030000" }), 21000n + 10n * 14n);
			await refusal(provider.estimateGas({ from, to: fresh(), value: parseEther("10001") }),
				"INSUFFICIENT_FUNDS", /insufficient funds/);
		}],
		["fee data is what a wallet can work with", async () => {
			const fees = await provider.getFeeData();
			assert.ok(fees instanceof FeeData);
			assert.ok(fees.gasPrice > 0n && fees.maxFeePerGas > 0n && fees.maxPriorityFeePerGas !== null);
			const { baseFeePerGas } = await provider.getBlock("latest");
			assert.ok(baseFeePerGas >= gwei(1), "the floor");
			assert.ok(fees.maxFeePerGas >= baseFeePerGas + fees.maxPriorityFeePerGas);
		}],
		["calls the native validators contract", async () => {
			const contract = new Contract(validatorsAddress, contractAbi, provider);
			const [addresses, weights] = await contract.getValidators();
			const known = await provider.send("weft_validators", []);
			assert.deepEqual(addresses.map((a) => a.toLowerCase()), known.validators.map((v) => v.address));
			assert.deepEqual([...weights], known.validators.map((v) => BigInt(v.weight)));
			assert.equal(await contract.totalWeight(), BigInt(known.totalWeight));
			assert.equal(await contract.weightOf(addresses[0]), weights[0]);
			assert.equal(await contract.weightOf(fresh()), 0n);
			await until("a block", async () => await provider.getBlockNumber() > 0);
			assert.equal((await provider.getBlock("latest")).miner, addresses[0]);
		}],
		["a call that reverts says so", async () => {
			const contract = new Contract(validatorsAddress, ["function nothing() view"], provider);
			const error = await failure(contract.nothing());
			assert.ok(isError(error, "CALL_EXCEPTION"), error.code);
			assert.match(error.reason, /^validators: /);
		}],
	];
}

function casesOfSending(provider, wallets) {
	return [
		["sends a type 0 transfer", () =>
			checkTransfer(wallets[0], { type: 0 }, 21000n)],
		["sends a type 1 transfer with an access list", () =>
			checkTransfer(wallets[0], {
				type: 1, accessList: [
					{ address: validatorsAddress, storageKeys: [ZeroHash, "0x" + "01".padStart(64, "0")] },
					{ address: fresh(), storageKeys: [] },
				],
			}, 21000n + 2n * 2400n + 2n * 1900n)],
		["sends a type 2 transfer", () =>
			checkTransfer(wallets[0], { type: 2 }, 21000n)],
		["sends a type 2 transfer whose tip is cut by its cap", () =>
			checkTransfer(wallets[0], { type: 2, maxFeePerGas: gwei(2), maxPriorityFeePerGas: gwei(2) }, 21000n)],
		["sends a type 2 transfer with data and an access list", () =>
			checkTransfer(wallets[0], {
				type: 2, data: "0x" + "ab".repeat(100),
				accessList: [{ address: fresh(), storageKeys: [ZeroHash] }],
			}, 21000n + 16n * 100n + 2400n + 1900n)],
		["waits for five confirmations, which empty blocks give", async () => {
			const sent = await wallets[1].sendTransaction({ to: fresh(), value: 1n });
			const receipt = await provider.waitForTransaction(sent.hash, 5, 60000);
			assert.ok(await receipt.confirmations() >= 5);
			const after = await provider.getBlock(receipt.blockNumber + 1);
			assert.equal(after.transactions.length, 0);
			assert.equal(after.parentHash, receipt.blockHash);
		}],
		["sixty transfers at once, in batches, all mined in order", async () => {
			const wallet = wallets[2], to = fresh(), count = 60;
			await accountFor(provider, wallet.address, async (nonce) => {
				const sent = await Promise.all(Array.from({ length: count }, (_, i) =>
					wallet.sendTransaction({ to, value: BigInt(i), nonce: nonce + i, gasLimit: 21000 })));
				const receipts = await Promise.all(sent.map((tx) => tx.wait()));
				for (let i = 1; i < count; i++) {
					const [a, b] = [receipts[i - 1], receipts[i]];
					assert.ok(a.blockNumber < b.blockNumber || (a.blockNumber === b.blockNumber && a.index < b.index));
				}
				return receipts.map((receipt, i) => ({ receipt, value: BigInt(i) }));
			});
			assert.equal(await provider.getBalance(to), BigInt(count * (count - 1) / 2));
		}],
		["the pending nonce counts what waits", async () => {
			const wallet = wallets[3], managed = new NonceManager(wallet);
			const nonce = await provider.getTransactionCount(wallet.address);
			const later = await wallet.sendTransaction({ to: fresh(), value: 1n, nonce: nonce + 1 });
			assert.equal(await provider.getTransactionCount(wallet.address, "pending"), nonce, "behind a gap");
			const waiting = await provider.getTransaction(later.hash);
			assert.equal(waiting.blockNumber, null);
			assert.equal(await provider.getTransactionReceipt(later.hash), null);
			const sent = await managed.sendTransaction({ to: fresh(), value: 1n });
			assert.equal(sent.nonce, nonce);
			assert.equal(await provider.getTransactionCount(wallet.address, "pending"), nonce + 2);
			await later.wait();
			assert.equal(await provider.getTransactionCount(wallet.address), nonce + 2);
		}],
		["a block listener hears of new blocks", async () => {
			const heard = [];
			const listener = (number) => heard.push(number);
			await provider.on("block", listener);
			await wallets[1].sendTransaction({ to: fresh(), value: 1n });
			await until("two blocks", () => heard.length >= 2);
			await provider.off("block", listener);
			assert.deepEqual(heard, heard.map((_, i) => heard[0] + i));
		}],
		["fee history agrees with the blocks", async () => {
			const newest = await provider.getBlockNumber();
			const history = await provider.send("eth_feeHistory", ["0x5", toQuantity(newest), [0, 50, 100]]);
			const first = Number(history.oldestBlock), count = newest - first + 1;
			assert.equal(history.baseFeePerGas.length, count + 1);
			assert.equal(history.gasUsedRatio.length, count);
			assert.equal(history.reward.length, count);
			for (let i = 0; i < count; i++) {
				const block = await provider.getBlock(first + i);
				assert.equal(BigInt(history.baseFeePerGas[i]), block.baseFeePerGas);
				assert.equal(history.gasUsedRatio[i], Number(block.gasUsed) / Number(block.gasLimit));
				assert.equal(history.reward[i].length, 3);
			}
		}],
	];
}

/** A signed transaction that the wallet's own checks have not seen. */
const signed = async (wallet, fields) => wallet.signTransaction({
	chainId: 31337n, type: 2, to: fresh(), value: 0n, gasLimit: 21000n, data: "0x",
	nonce: await wallet.provider.getTransactionCount(wallet.address),
	...(fields.type === 0 ? { gasPrice: gwei(5) } : { maxFeePerGas: gwei(5), maxPriorityFeePerGas: gwei(1) }),
	...fields,
});

function casesOfRefusal(provider, wallet, poor) {
	const refused = (name, fields, code, text) => [name, async () => {
		const before = await provider.getTransactionCount(wallet.address, "pending");
		await refusal(provider.broadcastTransaction(await signed(wallet, fields)), code, text);
		assert.equal(await provider.getTransactionCount(wallet.address, "pending"), before);
	}];

	return [
		["a nonce that is used is refused", async () => {
			await (await wallet.sendTransaction({ to: fresh(), value: 1n })).wait();
			await refusal(provider.broadcastTransaction(await signed(wallet, { nonce: 0 })),
				"NONCE_EXPIRED", /nonce too low/);
		}],
		refused("a value that the account does not have is refused", { value: parseEther("20000") },
			"INSUFFICIENT_FUNDS", /insufficient funds for gas \* price \+ value/),
		["an account without anything can't send", async () =>
			refusal(provider.broadcastTransaction(await signed(poor, {})), "INSUFFICIENT_FUNDS", /insufficient funds/)],
		["a replacement that pays no tenth more is refused, one that does replaces", async () => {
			const nonce = await provider.getTransactionCount(wallet.address) + 1;
			const first = await provider.broadcastTransaction(await signed(wallet, { nonce }));
			await refusal(provider.broadcastTransaction(await signed(wallet, { nonce, value: 1n })),
				"REPLACEMENT_UNDERPRICED", /replacement transaction underpriced/);
			const raw = await signed(wallet, { nonce, maxFeePerGas: gwei("5.5"), maxPriorityFeePerGas: gwei("1.1") });
			const second = await provider.broadcastTransaction(raw);
			assert.equal(await provider.getTransaction(first.hash), null);
			await refusal(provider.send("eth_sendRawTransaction", [raw]), null, /already known/);
			await wallet.sendTransaction({ to: fresh(), value: 1n, nonce: nonce - 1 });
			await second.wait();
		}],
		refused("gas below the intrinsic cost is refused", { gasLimit: 20999n }, null, /intrinsic gas too low/),
		refused("another chain's transaction is refused", { chainId: 1n }, null, /chain id/),
		refused("another chain's legacy transaction is refused", { type: 0, chainId: 1n }, null, /chain id/),
		refused("a fee below the floor is refused", { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }, null, /underpriced/),
		refused("init code above its limit is refused", { to: null, data: `0x${"00".repeat(49153)}`, gasLimit: 2000000n }, null,
			/init code|initcode/),
		refused("more gas than a transaction may have is refused", { gasLimit: 2n ** 24n + 1n }, null, /gas limit/),
		["bytes that are no transaction are refused", async () => {
			const raw = await signed(wallet, {});
			for (const bad of ["0x", "0x00", "0x02", "0xc0", "0x05" + raw.slice(4), raw.slice(0, -2), raw + "00"])
				await refusal(provider.send("eth_sendRawTransaction", [bad]), null, /rlp|type|transaction/);
			await refusal(provider.send("eth_sendRawTransaction", ["0x02" + "f9".repeat(140000)]), null, /oversized|size/);
		}],
	];
}

await suite("ethers", async () => {
	const node = await new Weftd(["--dev"]).start();
	// Bytes that no client would send are part of this; errors come at once.
	const provider = new JsonRpcProvider(node.url, undefined, { polling: true, pollingInterval: 100, cacheTimeout: -1 });
	assert.ok(provider instanceof AbstractProvider);
	const phrase = Mnemonic.fromPhrase(devPhrase);
	const wallets = Array.from({ length: 10 }, (_, i) =>
		HDNodeWallet.fromMnemonic(phrase, `m/44'/60'/0'/0/${i}`).connect(provider));
	const poor = Wallet.createRandom(provider);

	for (const [name, fn] of [
		...casesOfReading(provider, wallets),
		...casesOfSending(provider, wallets),
		...casesOfRefusal(provider, wallets[4], poor),
	])
		await test(`ethers: ${name}`, fn);
	provider.destroy();
	await test("ethers: the node ends cleanly", async () => {
		assert.deepEqual(await node.end(), { code: 0, signal: null });
	});
});
