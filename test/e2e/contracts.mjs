// Contracts of contracts/src, most of them OpenZeppelin's, as ethers and viem deploy and
// use them on `weftd --dev`: what solc's default settings give has to run exactly.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import {
	Contract, ContractFactory, HDNodeWallet, Interface, JsonRpcProvider, Mnemonic, Signature, Wallet, ZeroAddress,
	ZeroHash, concat, dataLength, dataSlice, encodeBytes32String, getAddress, getCreate2Address, getCreateAddress,
	hashMessage, id, isError, keccak256, parseEther, toBeHex, zeroPadValue,
} from "ethers";
import {
	BaseError, ContractFunctionRevertedError, createPublicClient, createWalletClient, decodeEventLog, defineChain,
	encodeFunctionData, http, parseEther as coins,
} from "viem";
import { mnemonicToAccount } from "viem/accounts";
import {
	Weftd, artifact, contractsPath, failure, freshDirectory, run, suite, test, until, weftPath,
} from "./lib.mjs";
import { deployerAddress, devPhrase } from "./known.mjs";

const word = (n) => toBeHex(n, 32);
const fresh = () => Wallet.createRandom().address;
const slotOfProxy = (name) => word(BigInt(id(name)) - 1n); // ERC-1967

const interfaceOf = (name) => new Interface(artifact(name).abi);

async function deploy(wallet, name, args = [], overrides = {}) {
	const { abi, bytecode } = artifact(name);
	const contract = await new ContractFactory(abi, bytecode, wallet).deploy(...args, overrides);
	await contract.deploymentTransaction().wait();
	return contract;
}

const mined = async (promise) => (await promise).wait();

/** The events of a receipt, by `contract`'s interface: [name, …arguments]. */
function eventsOf(contract, receipt) {
	return receipt.logs.filter(({ address }) => address === contract.target)
		.map((log) => contract.interface.parseLog(log)).map(({ name, args }) => [name, ...args]);
}

/** Sent past all estimates, it is mined and has failed: its receipt. */
async function mustFail(promise) {
	const sent = await promise;
	const error = await failure(sent.wait());
	assert.ok(isError(error, "CALL_EXCEPTION"), error.message);
	assert.equal(error.receipt.status, 0);
	assert.deepEqual(error.receipt.logs, []);
	return error.receipt;
}

/** A call or an estimate that ends with this custom error, decoded by the contract's own
 *  interface; ethers itself does that for calls. */
async function custom(contract, promise, name, args = []) {
	const error = await failure(promise);
	assert.ok(isError(error, "CALL_EXCEPTION"), `${error.code}: ${error.message}`);
	const parsed = error.action === "call" ? error.revert : contract.interface.parseError(error.data);
	assert.equal(parsed?.name, name, error.message);
	assert.deepEqual([...parsed.args], args);
}

// --- tokens ---

function casesOfTokens(provider, [owner, alice, bob]) {
	let token, badge;

	return [
		["deploys an ERC-20", async () => {
			const nonce = await provider.getTransactionCount(owner.address);
			token = await deploy(owner, "Token", ["Weft Test", "WTT", 1000n]);
			const receipt = await token.deploymentTransaction().wait();
			assert.equal(token.target, getCreateAddress({ from: owner.address, nonce }));
			assert.equal(receipt.contractAddress, token.target);
			assert.equal(receipt.to, null);
			assert.equal(dataLength(await provider.getCode(token.target)), dataLength(artifact("Token").deployedBytecode));
			assert.equal(await provider.getTransactionCount(token.target), 1, "as every contract since EIP-161");
			assert.deepEqual(eventsOf(token, receipt), [
				["OwnershipTransferred", ZeroAddress, owner.address],
				["Transfer", ZeroAddress, owner.address, 1000n],
			]);
			assert.deepEqual(await Promise.all([token.name(), token.symbol(), token.decimals(), token.totalSupply()]),
				["Weft Test", "WTT", 18n, 1000n]);
		}],
		["estimates what a deployment needs, and no less", async () => {
			const { data } = await new ContractFactory(artifact("Token").abi, artifact("Token").bytecode)
				.getDeployTransaction("A", "B", 1n);
			const gas = await provider.estimateGas({ from: owner.address, data });
			const { gasUsed } = await mined(owner.sendTransaction({ data, gasLimit: gas }));
			assert.ok(gas >= gasUsed && gas < gasUsed * 11n / 10n, `${gas} for ${gasUsed}`);
			await mustFail(owner.sendTransaction({ data, gasLimit: gasUsed - 1n }));
		}],
		["transfers tokens, and logs it", async () => {
			const receipt = await mined(token.transfer(alice.address, 300n));
			assert.deepEqual(eventsOf(token, receipt), [["Transfer", owner.address, alice.address, 300n]]);
			const [log] = receipt.logs;
			assert.deepEqual(log.topics,
				[id("Transfer(address,address,uint256)"), zeroPadValue(owner.address, 32), zeroPadValue(alice.address, 32)]
					.map((topic) => topic.toLowerCase()));
			assert.equal(log.data, word(300));
			assert.equal(log.transactionHash, receipt.hash);
			assert.equal(log.blockHash, receipt.blockHash);
			assert.equal(await token.balanceOf(owner.address), 700n);
			assert.equal(await token.balanceOf(alice.address), 300n);
			assert.notEqual(receipt.logsBloom, `0x${"00".repeat(256)}`);
			const block = await provider.send("eth_getBlockByHash", [receipt.blockHash, false]);
			assert.equal(block.logsBloom, receipt.logsBloom, "it is alone in its block");
		}],
		["more than there is can't be transferred", async () => {
			const asAlice = token.connect(alice);
			const wanted = ["ERC20InsufficientBalance", [alice.address, 300n, 301n]];
			await custom(token, asAlice.transfer(bob.address, 301n), ...wanted); // its estimate
			await custom(token, asAlice.transfer.staticCall(bob.address, 301n), ...wanted);
			const before = await provider.getBalance(alice.address);
			const receipt = await mustFail(asAlice.transfer(bob.address, 301n, { gasLimit: 100000n }));
			assert.ok(receipt.gasUsed < 100000n, "a revert gives back what is left");
			assert.equal(await provider.getBalance(alice.address), before - receipt.gasUsed * receipt.gasPrice);
			assert.equal(await token.balanceOf(alice.address), 300n);
		}],
		["an approved spender spends, up to what is allowed", async () => {
			await mined(token.approve(alice.address, 50n));
			assert.equal(await token.allowance(owner.address, alice.address), 50n);
			const asAlice = token.connect(alice);
			const receipt = await mined(asAlice.transferFrom(owner.address, bob.address, 20n));
			assert.deepEqual(eventsOf(token, receipt), [["Transfer", owner.address, bob.address, 20n]]);
			assert.equal(await token.allowance(owner.address, alice.address), 30n);
			await custom(token, asAlice.transferFrom(owner.address, bob.address, 31n), "ERC20InsufficientAllowance",
				[alice.address, 30n, 31n]);
		}],
		["an approval by signature (ERC-2612)", async () => {
			const deadline = 2n ** 40n;
			const { domain } = await token.eip712Domain().then(([, name, version, chainId, verifyingContract]) =>
				({ domain: { name, version, chainId, verifyingContract } }));
			const types = { Permit: [
				{ name: "owner", type: "address" }, { name: "spender", type: "address" }, { name: "value", type: "uint256" },
				{ name: "nonce", type: "uint256" }, { name: "deadline", type: "uint256" }] };
			const signature = Signature.from(await bob.signTypedData(domain, types,
				{ owner: bob.address, spender: alice.address, value: 5n, nonce: 0n, deadline }));
			const permit = [bob.address, alice.address, 5n, deadline, signature.v, signature.r, signature.s];
			await mined(token.connect(alice).permit(...permit));
			await mined(token.connect(alice).transferFrom(bob.address, alice.address, 5n));
			const again = await failure(token.permit.staticCall(...permit)); // its nonce is used
			assert.equal(again.revert.name, "ERC2612InvalidSigner");
		}],
		["its logs are found by filters", async () => {
			const all = await token.queryFilter("Transfer", 0);
			assert.deepEqual(all.map(({ args }) => args[2]), [1000n, 300n, 20n, 5n]);
			const toBob = await token.queryFilter(token.filters.Transfer(null, bob.address), 0);
			assert.deepEqual(toBob.map(({ args }) => args[2]), [20n]);
			const some = await provider.getLogs({
				fromBlock: all[1].blockNumber, toBlock: all[2].blockNumber, address: token.target,
				topics: [[id("Transfer(address,address,uint256)"), id("Approval(address,address,uint256)")],
					zeroPadValue(owner.address, 32)],
			});
			assert.deepEqual(some.map(({ data }) => BigInt(data)), [300n, 50n, 20n]);
			const inBlock = await provider.getLogs({ blockHash: all[1].blockHash });
			assert.deepEqual(inBlock.map(({ transactionHash }) => transactionHash), [all[1].transactionHash]);
			assert.deepEqual(await token.queryFilter(token.filters.Transfer(bob.address, owner.address), 0), []);
		}],
		["a listener hears of events", async () => {
			const heard = [];
			await token.on("Transfer", (from, to, amount) => heard.push(amount));
			await mined(token.transfer(alice.address, 1n));
			await mined(token.transfer(alice.address, 2n));
			await until("both events", () => heard.length >= 2);
			await token.off("Transfer");
			assert.deepEqual(heard, [1n, 2n]);
		}],
		["an ERC-721: awarded, approved, handed on", async () => {
			badge = await deploy(owner, "Badge");
			const receipt = await mined(badge.award(alice.address, "weft:badge/1"));
			assert.deepEqual(eventsOf(badge, receipt),
				[["Transfer", ZeroAddress, alice.address, 1n], ["MetadataUpdate", 1n]]);
			assert.equal(await badge.ownerOf(1n), alice.address);
			assert.equal(await badge.tokenURI(1n), "weft:badge/1");
			assert.equal(await badge.supportsInterface("0x80ac58cd"), true);
			await mined(badge.connect(alice).approve(bob.address, 1n));
			await mined(badge.connect(bob).transferFrom(alice.address, bob.address, 1n));
			assert.equal(await badge.ownerOf(1n), bob.address);
			assert.equal(await badge.getApproved(1n), ZeroAddress);
			await custom(badge, badge.connect(alice).transferFrom(bob.address, alice.address, 1n),
				"ERC721InsufficientApproval", [alice.address, 1n]);
			await custom(badge, badge.ownerOf(2n), "ERC721NonexistentToken", [2n]);
			await custom(badge, badge.connect(alice).award(alice.address, ""), "OwnableUnauthorizedAccount", [alice.address]);
		}],
		["an ERC-721 asks the contract that gets it", async () => {
			const cabinet = await deploy(owner, "Cabinet");
			const safe = badge.connect(bob)["safeTransferFrom(address,address,uint256)"];
			await custom(badge, safe(bob.address, token.target, 1n), "ERC721InvalidReceiver", [token.target]);
			await mined(safe(bob.address, cabinet.target, 1n));
			assert.equal(await badge.ownerOf(1n), cabinet.target);
			assert.equal(await cabinet.giver(1n), bob.address);
		}],
	];
}

// --- proxies, factories ---

function casesOfCreation(provider, [owner, stranger]) {
	const implementationSlot = slotOfProxy("eip1967.proxy.implementation");
	const adminSlot = slotOfProxy("eip1967.proxy.admin");
	const addressAt = async (at, slot) => getAddress(dataSlice(await provider.getStorage(at, slot), 12));
	const boxData = (...args) => interfaceOf("BoxV1").encodeFunctionData("initialize", args);

	return [
		["a UUPS proxy is upgraded; storage stays", async () => {
			const v1 = await deploy(owner, "BoxV1"), v2 = await deploy(owner, "BoxV2");
			const proxy = await deploy(owner, "ERC1967Proxy", [v1.target, boxData(owner.address, 41n)]);
			const box1 = v1.attach(proxy.target), box2 = v2.attach(proxy.target);
			assert.equal(await addressAt(proxy.target, implementationSlot), v1.target);
			assert.deepEqual(await Promise.all([box1.version(), box1.retrieve(), box1.owner()]), [1n, 41n, owner.address]);
			const receipt = await mined(box1.store(42n));
			assert.deepEqual(eventsOf(box1, receipt), [["ValueChanged", 42n]], "logged by the proxy");
			await failure(box2.increment.staticCall()); // V1 has no such function

			await custom(box1, box1.connect(stranger).upgradeToAndCall(v2.target, "0x"), "NotOwner", [stranger.address]);
			await custom(box1, box1.upgradeToAndCall(proxy.target, "0x"), "ERC1967InvalidImplementation", [proxy.target]);
			const upgrade = await mined(box1.upgradeToAndCall(v2.target, v2.interface.encodeFunctionData("upgradeToV2")));
			assert.equal(eventsOf(box1, upgrade)[0][0], "Upgraded");
			assert.equal(await addressAt(proxy.target, implementationSlot), v2.target);
			await mined(box2.increment());
			assert.deepEqual(await Promise.all([box2.version(), box2.retrieve(), box2.changes(), box2.owner()]),
				[2n, 43n, 101n, owner.address]);
			await custom(box2, box2.initialize(stranger.address, 1n), "InvalidInitialization");
			await custom(v1, v1.initialize(stranger.address, 1n), "InvalidInitialization");
			await custom(v1, v1.upgradeToAndCall(v2.target, "0x"), "UUPSUnauthorizedCallContext");
		}],
		["a transparent proxy is upgraded by its admin", async () => {
			const v1 = await deploy(owner, "BoxV1"), v2 = await deploy(owner, "BoxV2");
			const proxy = await deploy(owner, "TransparentUpgradeableProxy",
				[v1.target, owner.address, boxData(owner.address, 5n)]);
			const admin = new Contract(await addressAt(proxy.target, adminSlot), artifact("ProxyAdmin").abi, owner);
			assert.equal(admin.target, getCreateAddress({ from: proxy.target, nonce: 1 }), "the proxy made it");
			assert.equal(await admin.owner(), owner.address);
			await mined(admin.upgradeAndCall(proxy.target, v2.target, v2.interface.encodeFunctionData("upgradeToV2")));
			const box = v2.attach(proxy.target);
			assert.deepEqual(await Promise.all([box.version(), box.retrieve(), box.changes()]), [2n, 5n, 100n]);
			await custom(admin, admin.connect(stranger).upgradeAndCall(proxy.target, v1.target, "0x"),
				"OwnableUnauthorizedAccount", [stranger.address]);
		}],
		["CREATE2 gives the address that was predicted", async () => {
			const factory = await deploy(owner, "Factory");
			const salt = encodeBytes32String("weft"), parcelAbi = artifact("Parcel").abi;
			const code = concat([artifact("Parcel").bytecode, word(77)]);
			const predicted = getCreate2Address(factory.target, salt, keccak256(code));
			assert.equal(await factory.predict(salt, 77n), predicted);
			assert.equal(await factory.make2.staticCall(salt, 77n), predicted);
			await mined(owner.sendTransaction({ to: predicted, value: 3n })); // coins may be there before
			const receipt = await mined(factory.make2(salt, 77n, { value: 4n }));
			assert.deepEqual(eventsOf(factory, receipt), [["Made", predicted, salt, 77n]]);
			const parcel = new Contract(predicted, parcelAbi, provider);
			assert.deepEqual(await Promise.all([parcel.maker(), parcel.number(), provider.getBalance(predicted)]),
				[factory.target, 77n, 7n]);
			await failure(factory.make2.staticCall(salt, 77n)); // taken
			await mustFail(factory.make2(salt, 77n, { gasLimit: 1000000n }));
			assert.notEqual(await factory.make2.staticCall(salt, 78n), predicted);
		}],
		["CREATE counts the factory's nonce, failures too", async () => {
			const factory = await deploy(owner, "Factory");
			for (const nonce of [1, 2]) {
				const receipt = await mined(factory.make(BigInt(nonce)));
				const [[, parcel]] = eventsOf(factory, receipt);
				assert.equal(parcel, getCreateAddress({ from: factory.target, nonce }));
			}
			assert.equal(await provider.getTransactionCount(factory.target), 3);
		}],
		["the deterministic deployer deploys, at one address everywhere", async () => {
			assert.equal(keccak256(await provider.getCode(deployerAddress)),
				"0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989", "the runtime code that all chains have");
			const salt = word(1234), code = concat([artifact("Parcel").bytecode, word(5)]);
			const predicted = getCreate2Address(deployerAddress, salt, keccak256(code));
			const call = { to: deployerAddress, data: concat([salt, code]) };
			assert.equal(getAddress(await provider.call(call)), predicted, "it gives twenty bytes");
			const receipt = await mined(owner.sendTransaction(call));
			assert.equal(receipt.status, 1);
			const parcel = new Contract(predicted, artifact("Parcel").abi, provider);
			assert.deepEqual(await Promise.all([parcel.maker(), parcel.number()]), [deployerAddress, 5n]);
			await failure(provider.call(call));
			await mustFail(owner.sendTransaction({ ...call, gasLimit: 1000000n }));
		}],
		["creation has its limits: size of code, first byte, size of init code", async () => {
			const create = (data) => owner.sendTransaction({ data, gasLimit: 7000000n });
			const codeOf = async (receipt) => provider.getCode(receipt.contractAddress);
			const returning = (size) => `0x62${size.toString(16).padStart(6, "0")}5ff3`; // PUSH3, PUSH0, RETURN
			assert.equal(await codeOf(await mined(create(returning(24576)))), `0x${"00".repeat(24576)}`);
			for (const bad of [returning(24577) /* EIP-170 */, "0x60ef5f5360015ff3" /* EIP-3541 */]) {
				const receipt = await mustFail(create(bad));
				assert.equal(receipt.gasUsed, 7000000n, "all gas is gone");
				const at = getCreateAddress({ from: owner.address, nonce: (await provider.getTransaction(receipt.hash)).nonce });
				assert.equal(await provider.getCode(at), "0x");
				assert.equal(await provider.getTransactionCount(at), 0);
			}
			const tooLong = await failure(create(`0x${"00".repeat(49153)}`)); // EIP-3860
			assert.match(tooLong.message, /initcode|init code|code size/i);
		}],
	];
}

// --- failures ---

function casesOfFailure(provider, [owner], node) {
	let faults;
	const panic = (code) => async (promise) => {
		const error = await failure(promise);
		assert.equal(error.revert?.name, "Panic", error.message);
		assert.deepEqual([...error.revert.args].map(Number), [code]);
	};
	const reason = (text) => async (promise) => {
		const error = await failure(promise);
		assert.equal(error.reason, text, error.message);
		assert.equal(error.revert.name, "Error");
	};

	return [
		["a constructor that reverts", async () => {
			const { abi, bytecode } = artifact("Faults");
			const factory = new ContractFactory(abi, bytecode, owner);
			await reason("Faults: made to fail")(factory.deploy(false));
			const receipt = await mustFail(factory.deploy(false, { gasLimit: 2000000n, value: 9n })
				.then((contract) => contract.deploymentTransaction()));
			const { nonce } = await provider.getTransaction(receipt.hash);
			const at = getCreateAddress({ from: owner.address, nonce });
			assert.equal(await provider.getCode(at), "0x");
			assert.equal(await provider.getBalance(at), 0n, "the value came back");
			faults = await deploy(owner, "Faults", [true]);
		}],
		["custom errors are decoded", async () => {
			const low = [owner.address, 1n, 5n];
			await custom(faults, faults.plain(), "Plain");
			await custom(faults, faults.tooLow.staticCall(5n), "TooLow", low);
			await custom(faults, faults.tooLow.estimateGas(5n), "TooLow", low);
			await custom(faults, faults.through.staticCall(5n), "TooLow", [faults.target, 1n, 5n]);
			const error = await failure(faults.caught.staticCall(5n));
			assert.equal(error.revert.name, "Nested");
			const [[code, text], cause] = error.revert.args;
			assert.deepEqual([code, text], [7n, "tooLow"]);
			assert.deepEqual([...faults.interface.parseError(cause).args], [faults.target, 1n, 5n]);
		}],
		["reasons and panics are decoded", async () => {
			assert.equal(await faults.reason(9n), 9n);
			await reason("Faults: n is not below ten")(faults.reason(10n));
			await reason("a reason that does not fit in one word of thirty-two bytes — ünïcödé and all")(faults.long());
			await panic(0x01)(faults.assertion());
			await panic(0x11)(faults.overflow(2n ** 256n - 1n));
			await panic(0x12)(faults.division(0n));
			await panic(0x31)(faults.emptied.staticCall());
			await panic(0x32)(faults.outside(0n));
			const silent = await failure(faults.silent());
			assert.deepEqual([silent.data, silent.reason], ["0x", "require(false)"]);
		}],
		["on the wire a revert is code 3, its text and its bytes", async () => {
			const call = (name, ...args) => ({ to: faults.target, data: faults.interface.encodeFunctionData(name, args) });
			const asked = (fields) => failure(node.rpc("eth_call", fields, "latest"));
			const plain = await asked(call("plain"));
			assert.deepEqual([plain.code, plain.data, plain.message], [3, id("Plain()").slice(0, 10), "execution reverted"]);
			const told = await asked(call("reason", 10n));
			assert.deepEqual([told.code, told.message], [3, "execution reverted: Faults: n is not below ten"]);
			const overflow = await asked(call("overflow", 2n ** 256n - 1n));
			assert.deepEqual([overflow.code, overflow.data.slice(0, 10)], [3, id("Panic(uint256)").slice(0, 10)]);
			// What takes all gas is no revert; −32603 would make viem ask again and again.
			for (const name of ["invalid", "endless"]) {
				const error = await asked({ ...call(name), gas: "0x186a0" });
				assert.deepEqual([error.code, error.data], [-32000, undefined], error.message);
			}
		}],
		["what reverts is undone, what survives stays", async () => {
			await mustFail(faults.tooLow(5n, { gasLimit: 100000n }));
			assert.equal(await faults.count(), 0n);
			assert.equal(await faults.survived.staticCall(5n), true);
			await mined(faults.survived(5n));
			assert.equal(await faults.count(), 10n);
			await mined(faults.survived(0n));
			assert.equal(await faults.count(), 21n);
		}],
		["out of gas: a receipt with status 0, all gas used, nothing changed", async () => {
			for (const name of ["endless", "invalid"]) {
				const before = await provider.getBalance(owner.address);
				const receipt = await mustFail(owner.sendTransaction({
					to: faults.target, data: faults.interface.encodeFunctionData(name), gasLimit: 300000n,
				}));
				assert.equal(receipt.gasUsed, 300000n);
				assert.equal(await provider.getBalance(owner.address), before - receipt.gasUsed * receipt.gasPrice);
			}
			assert.equal(await faults.count(), 21n);
			const error = await failure(node.rpc("eth_estimateGas",
				{ from: owner.address, to: faults.target, data: faults.interface.encodeFunctionData("endless") }));
			assert.equal(error.code, -32000);
			assert.match(error.message, /gas/);
		}],
		["a function that takes no coins sends them back", async () => {
			const before = await provider.getBalance(owner.address);
			const receipt = await mustFail(owner.sendTransaction({
				to: faults.target, data: faults.interface.encodeFunctionData("unpaid"), value: parseEther("1"), gasLimit: 100000n,
			}));
			assert.equal(await provider.getBalance(owner.address), before - receipt.gasUsed * receipt.gasPrice);
			assert.equal(await provider.getBalance(faults.target), 0n);
		}],
	];
}

// --- storage, events ---

function casesOfState(provider, [owner, other]) {
	let ledger;

	return [
		["storage is where solc puts it", async () => {
			ledger = await deploy(owner, "Ledger", [99n], { value: 12n });
			const slot = (n) => provider.getStorage(ledger.target, n);
			await mined(ledger.enter(ZeroHash, 55n, "", "0x"));
			assert.equal(await slot(0), word(0x1234));
			assert.equal(await slot(1), word((1n << 192n) | (8n << 128n) | 7n));
			assert.equal(await slot(keccak256(concat([zeroPadValue(owner.address, 32), word(2)]))), word(55));
			assert.equal(await slot(3), word(2));
			assert.equal(await slot(BigInt(keccak256(word(3))) + 1n), word(22));
			assert.equal(await slot(4), `0x${Buffer.from("short").toString("hex").padEnd(62, "0")}0a`);
			const { longText } = { longText: await ledger.longText() };
			assert.equal(await slot(5), word(longText.length * 2 + 1));
			assert.equal(await slot(keccak256(word(5))), `0x${Buffer.from(longText.slice(0, 32)).toString("hex")}`);
			assert.equal(await slot(6), ZeroHash);
			assert.equal(await ledger.fixedNumber(), 99n);
			assert.ok((await provider.getCode(ledger.target)).includes(word(99).slice(2)), "immutables are in the code");
			assert.equal(await provider.getBalance(ledger.target), 12n);
			assert.equal(await provider.getStorage(fresh(), 0), ZeroHash);
		}],
		["cleared storage is gone, with a refund; older blocks still have it", async () => {
			const slot = (n, block) => provider.getStorage(ledger.target, n, block);
			const before = await provider.getBlockNumber();
			const receipt = await mined(ledger.clear());
			assert.equal(await ledger.longText(), "");
			assert.equal(await slot(3), ZeroHash);
			assert.equal(await slot(3, before), word(2));
			assert.equal(await ledger.amounts(owner.address, { blockTag: before }), 55n);
			assert.equal(await ledger.amounts(owner.address), 0n);
			// Seven slots of 5,000 each and the calls' 21,000; a fifth comes back at most (EIP-3529).
			assert.ok(receipt.gasUsed < 60000n, `${receipt.gasUsed}`);
		}],
		["a contract proves its storage", async () => {
			const proof = await provider.send("eth_getProof", [ledger.target, ["0x0"], "latest"]);
			assert.equal(BigInt(proof.storageProof[0].value), 0x1234n);
			assert.equal(proof.codeHash, keccak256(await provider.getCode(ledger.target)));
		}],
		["events of every shape", async () => {
			const key = encodeBytes32String("key");
			const entry = await mined(ledger.enter(key, 7n, "a note", "0x010203"));
			assert.deepEqual(eventsOf(ledger, entry), [["Entry", owner.address, key, 7n, "a note", "0x010203"]]);
			const { logs } = await mined(ledger.shapes());
			assert.deepEqual(logs.map(({ topics }) => topics.length), [1, 3, 1]);
			assert.deepEqual(logs.map(({ index }) => index), [0, 1, 2]);
			assert.equal(logs[1].topics[1], keccak256(Buffer.from("hashed")));
			assert.equal(logs[1].data, word((1n << 256n) - 5n));
			assert.deepEqual(logs[2].topics, [word(42)]);
			const { logs: many } = await mined(ledger.many(500n));
			assert.deepEqual(many.map(({ topics }) => BigInt(topics[2])), many.map((_, i) => BigInt(i)));
			assert.equal(many.length, 500);
		}],
		["logs of one block are numbered through", async () => {
			const [nonce, theirs] = await Promise.all([owner, other].map((w) => provider.getTransactionCount(w.address)));
			const options = { gasLimit: 200000n };
			const sent = await Promise.all([
				...[0, 1, 2].map((i) => ledger.many(2n, { ...options, nonce: nonce + i })),
				...[0, 1, 2].map((i) => ledger.connect(other).many(2n, { ...options, nonce: theirs + i })),
			]);
			const receipts = await Promise.all(sent.map((tx) => tx.wait()));
			for (const hash of new Set(receipts.map(({ blockHash }) => blockHash))) {
				const all = await provider.send("eth_getBlockReceipts", [{ blockHash: hash }]);
				const indices = all.flatMap(({ logs }) => logs.map(({ logIndex }) => Number(logIndex)));
				assert.deepEqual(indices, indices.map((_, i) => i));
			}
		}],
		["plain transfers to a contract run it", async () => {
			const receipt = await mined(owner.sendTransaction({ to: ledger.target, value: 5n }));
			assert.ok(receipt.gasUsed > 21000n);
			assert.equal(await provider.getBalance(ledger.target), 17n);
			assert.ok(await provider.estimateGas({ from: owner.address, to: ledger.target, value: 1n }) > 21000n);
		}],
	];
}

// --- rules of the machine ---

function casesOfRules(provider, [owner, other]) {
	return [
		["self-destruction of an old contract only moves its coins (EIP-6780)", async () => {
			const mortal = await deploy(owner, "Mortal", [], { value: 10n });
			const heir = fresh();
			await mined(mortal.end(heir));
			assert.equal(await provider.getBalance(heir), 10n);
			assert.equal(await provider.getBalance(mortal.target), 0n);
			assert.equal(await provider.getCode(mortal.target), artifact("Mortal").deployedBytecode);
			assert.equal(await mortal.life(), 1n);
		}],
		["what a transaction makes and ends is gone, and can be made again", async () => {
			const reaper = await deploy(owner, "Reaper"), salt = word(9);
			for (const value of [3n, 4n]) {
				const heir = fresh();
				const receipt = await mined(reaper.reap(salt, heir, { value }));
				const [[, mortal, size]] = eventsOf(reaper, receipt);
				assert.ok(size > 0n, "until the transaction's end it is there");
				assert.equal(await provider.getCode(mortal), "0x");
				assert.equal(await provider.getTransactionCount(mortal), 0);
				assert.equal(await provider.getStorage(mortal, 0), ZeroHash);
				assert.equal(await provider.getBalance(heir), value);
			}
		}],
		["transient storage locks, and is gone with the transaction", async () => {
			const vault = await deploy(owner, "Vault");
			await mined(vault.deposit({ value: 2n }));
			const thief = await deploy(other, "Thief", [vault.target], { value: 1n });
			const error = await failure(thief.steal.staticCall(true));
			const parsed = vault.interface.parseError(error.data);
			assert.equal(parsed.name, "TransferFailed");
			assert.equal(vault.interface.parseError(parsed.args[0]).name, "ReentrancyGuardReentrantCall");
			await mustFail(thief.steal(true, { gasLimit: 500000n }));
			assert.equal(await provider.getBalance(vault.target), 3n);
			await mined(thief.steal(false));
			assert.equal(await provider.getBalance(thief.target), 3n, "without the lock it takes all");
			assert.equal(await vault.deepest(), 3n);
			assert.equal(await vault.depthNow(), 0n);
			const ours = vault.connect(other);
			await mined(ours.deposit({ value: 1n }));
			await mined(ours.withdraw()); // no lock of an earlier transaction
			assert.equal(await provider.getBalance(vault.target), 0n);
		}],
		["Osaka's machine: CLZ, MCOPY, block values", async () => {
			const machine = await deploy(owner, "Machine");
			assert.deepEqual(await Promise.all([0n, 1n, 1n << 255n, 1n << 100n].map((n) => machine.leadingZeros(n))),
				[256n, 255n, 0n, 155n]);
			assert.equal(await machine.shift("0x0102030405060708090a", 3), "0x01020301020304050607");
			const blockTag = await provider.getBlockNumber();
			const seen = await machine.here({ blockTag });
			const block = await provider.send("eth_getBlockByNumber", [toBeHex(blockTag).replace(/^0x0/, "0x"), false]);
			assert.equal(seen.chainId, 31337n);
			assert.equal(seen.number, BigInt(blockTag));
			assert.equal(seen.timestamp, BigInt(block.timestamp));
			assert.equal(seen.gasLimit, BigInt(block.gasLimit));
			assert.equal(seen.blobBaseFee, 1n);
			assert.equal(seen.random, BigInt(block.mixHash));
			assert.equal(seen.coinbase, getAddress(block.miner));
			assert.equal(seen.parent, block.parentHash);
		}],
		["precompiles, through solc's functions and OpenZeppelin's P-256", async () => {
			const machine = await deploy(owner, "Machine");
			const { r, s, v } = Signature.from(await other.signMessage("weft"));
			assert.equal(await machine.recover(hashMessage("weft"), v, r, s), other.address);
			assert.equal(await machine.recover(hashMessage("else"), 99, r, s), ZeroAddress);
			const bytes = crypto.randomBytes(200), hex = (b) => `0x${b.toString("hex")}`;
			assert.equal(await machine.sha2(bytes), hex(crypto.createHash("sha256").update(bytes).digest()));
			assert.equal(await machine.ripemd("0x616263"), "0x8eb208f7e05d987a9b044a8e98c6b087f15a0bfc");

			const key = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
			const { x, y } = key.publicKey.export({ format: "jwk" });
			const point = [x, y].map((b) => hex(Buffer.from(b, "base64url")));
			const digest = crypto.createHash("sha256").update(bytes).digest();
			const signature = crypto.sign("sha256", bytes, { key: key.privateKey, dsaEncoding: "ieee-p1363" });
			const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
			const rs = [BigInt(hex(signature.subarray(0, 32))), BigInt(hex(signature.subarray(32)))];
			const low = [rs[0], rs[1] > n / 2n ? n - rs[1] : rs[1]].map(word);
			assert.equal(await machine.verifyP256(hex(digest), ...low, ...point), true);
			const changed = word(BigInt(hex(digest)) ^ 1n);
			assert.equal(await machine.verifyP256(changed, ...low, ...point), false);

			const at = (n, data) => machine.precompile(zeroPadValue(toBeHex(n), 20), data);
			assert.deepEqual([...await at(4, hex(bytes))], [true, hex(bytes)]);
			const power = concat([word(1), word(1), word(1), "0x03", "0x05", "0x07"]); // 3^5 mod 7
			assert.deepEqual([...await at(5, power)], [true, "0x05"]);
			assert.deepEqual([...await at(8, "0x")], [true, word(1)], "a product of no pairings is one");
			assert.deepEqual([...await at(6, concat([word(1), word(3)]))], [false, "0x"], "not on the curve");
			assert.deepEqual([...await at(0x0a, `0x${"00".repeat(192)}`)], [false, "0x"], "no KZG here");
		}],
		["a type 1 transaction pays for its access list and saves inside", async () => {
			const token = await deploy(owner, "Token", ["A", "A", 10n]);
			const data = token.interface.encodeFunctionData("transfer", [other.address, 1n]);
			const slot = (who) => keccak256(concat([zeroPadValue(who, 32), word(0)])); // OpenZeppelin's _balances
			const accessList = [{ address: token.target, storageKeys: [slot(owner.address), slot(other.address)] }];
			await mined(token.transfer(other.address, 1n)); // both slots hold something
			const plain = await mined(owner.sendTransaction({ to: token.target, data }));
			const listed = await mined(owner.sendTransaction({ to: token.target, data, type: 1, accessList }));
			assert.equal(listed.type, 1);
			// Two keys: 1,900 each instead of 2,100 for a cold slot; the address, always warm here, 2,400 for nothing.
			assert.equal(listed.gasUsed, plain.gasUsed + 2400n + 2n * 1900n - 2n * 2000n);
			const { accessList: proposed } = await provider.send("eth_createAccessList",
				[{ from: owner.address, to: token.target, data }, "latest"]);
			assert.deepEqual(proposed.map(({ address, storageKeys }) => [getAddress(address), [...storageKeys].sort()]),
				[[token.target, [...accessList[0].storageKeys].sort()]]);
		}],
	];
}

// --- EIP-7702 ---

function casesOfDelegation(provider, [owner, sponsor, account]) {
	let delegate, token, taken;

	return [
		["an account takes code of its own (type 4) and runs it", async () => {
			delegate = await deploy(owner, "Delegate");
			token = await deploy(owner, "Token", ["A", "A", 100n]);
			await mined(token.transfer(account.address, 50n));
			const nonce = await provider.getTransactionCount(account.address);
			const itself = new Contract(account.address, delegate.interface, account);
			const calls = [
				[token.target, 0n, token.interface.encodeFunctionData("transfer", [sponsor.address, 1n])],
				[token.target, 0n, token.interface.encodeFunctionData("transfer", [owner.address, 2n])],
			];
			// Its own nonce has risen by one when the list is looked at.
			const authorization = await account.authorize({ address: delegate.target, nonce: nonce + 1 });
			const sent = await itself.execute(calls, { type: 4, authorizationList: [authorization], gasLimit: 400000n });
			const receipt = await sent.wait();
			assert.equal(receipt.type, 4);
			assert.equal(receipt.status, 1);
			assert.deepEqual(eventsOf(itself, receipt), [["Executed", account.address, 2n]]);
			assert.equal(await provider.getCode(account.address), concat(["0xef0100", delegate.target]));
			assert.equal(await provider.getTransactionCount(account.address), nonce + 2);
			assert.equal(await token.balanceOf(account.address), 47n);
			assert.equal(await itself.executed(), 2n, "in the account's own storage");
			assert.equal(await delegate.executed(), 0n);
			taken = { hash: sent.hash, authorization };
		}],
		["a type 4 transaction is shown with its authorizations", async () => {
			const { type, authorizationList } = await provider.getTransaction(taken.hash);
			assert.equal(type, 4);
			assert.deepEqual(authorizationList.map(({ address, nonce, chainId, signature }) =>
				[address, nonce, chainId, signature.serialized]), [taken.authorization].map(({ nonce, chainId, signature }) =>
				[delegate.target, BigInt(nonce), BigInt(chainId), signature.serialized]));
		}],
		["with code, it still sends by itself, and refuses others", async () => {
			const itself = new Contract(account.address, delegate.interface, account);
			await custom(itself, itself.connect(sponsor).execute([[token.target, 0n, "0x"]]), "NotSelf", [sponsor.address]);
			await mined(itself.execute([[owner.address, 5n, "0x"]]));
			assert.equal(await itself.executed(), 3n);
			await custom(token, itself.execute(
				[[token.target, 0n, token.interface.encodeFunctionData("transfer", [owner.address, 1000n])]],
			), "ERC20InsufficientBalance", [account.address, 47n, 1000n]); // the token's error comes through
		}],
		["somebody else pays for taking the code and for giving it up", async () => {
			const poor = Wallet.createRandom(provider);
			const send = async (fields) => mined(sponsor.sendTransaction({
				to: poor.address, type: 4, gasLimit: 200000n,
				authorizationList: [await poor.authorize(fields)],
			}));
			assert.equal((await send({ address: delegate.target, nonce: 0 })).status, 1);
			assert.equal(await provider.getCode(poor.address), concat(["0xef0100", delegate.target]));
			assert.equal(await provider.getTransactionCount(poor.address), 1);
			// One that does not fit is passed over; the transaction goes on.
			for (const fields of [{ nonce: 0 }, { nonce: 1, chainId: 1n }])
				assert.equal((await send({ address: token.target, ...fields })).status, 1);
			assert.equal(await provider.getCode(poor.address), concat(["0xef0100", delegate.target]));
			await send({ address: ZeroAddress, nonce: 1, chainId: 0n });
			assert.equal(await provider.getCode(poor.address), "0x");
			assert.equal(await provider.getTransactionCount(poor.address), 2);
		}],
	];
}

// --- traces ---

function casesOfTraces(provider, [owner, other]) {
	const trace = (receipt, tracer, tracerConfig) =>
		provider.send("debug_traceTransaction", [receipt.hash, ...(tracer ? [{ tracer, tracerConfig }] : [])]);
	let box, implementation, done;

	return [
		["a trace shows the calls behind a proxy, with their logs", async () => {
			implementation = await deploy(owner, "BoxV1");
			const proxy = await deploy(owner, "ERC1967Proxy",
				[implementation.target, implementation.interface.encodeFunctionData("initialize", [owner.address, 1n])]);
			box = implementation.attach(proxy.target);
			done = await mined(box.store(2n));
			const outer = await trace(done, "callTracer", { withLog: true });
			const [inner] = outer.calls;
			assert.deepEqual([outer.type, getAddress(outer.from), getAddress(outer.to), BigInt(outer.gasUsed)],
				["CALL", owner.address, box.target, done.gasUsed]);
			assert.deepEqual([inner.type, getAddress(inner.from), getAddress(inner.to), inner.input],
				["DELEGATECALL", box.target, implementation.target, outer.input]);
			assert.deepEqual(inner.logs.map(({ address, data }) => [getAddress(address), data]), [[box.target, word(2)]]);
			assert.equal(outer.calls.length, 1);
		}],
		["a trace tells where and why a call failed", async () => {
			const faults = await deploy(owner, "Faults", [true]);
			const receipt = await mustFail(faults.caught(5n, { gasLimit: 200000n }));
			const outer = await trace(receipt, "callTracer");
			assert.equal(outer.error, "execution reverted");
			assert.equal(faults.interface.parseError(outer.output).name, "Nested");
			assert.equal(outer.calls[0].error, "execution reverted");
			assert.equal(faults.interface.parseError(outer.calls[0].output).name, "TooLow");
			const told = await mustFail(owner.sendTransaction({
				to: faults.target, data: faults.interface.encodeFunctionData("reason", [10n]), gasLimit: 100000n,
			}));
			assert.equal((await trace(told, "callTracer")).revertReason, "Faults: n is not below ten");
		}],
		["steps and the state before are there, too", async () => {
			const { failed, gas, structLogs } = await trace(done);
			assert.deepEqual([failed, BigInt(gas)], [false, done.gasUsed]);
			assert.deepEqual(structLogs.filter(({ op }) => op === "SSTORE").map(({ depth }) => depth), [2]);
			const before = await trace(done, "prestateTracer");
			const touched = Object.entries(before).find(([address]) => getAddress(address) === box.target)[1];
			assert.ok(Object.values(touched.storage).includes(word(1)), "the old value");
			const { post } = await trace(done, "prestateTracer", { diffMode: true });
			assert.deepEqual(Object.values(post[box.target.toLowerCase()].storage), [word(2)]);
		}],
		["a call that is not sent is traced as well", async () => {
			const call = { from: other.address, to: box.target, data: box.interface.encodeFunctionData("store", [9n]) };
			const outer = await provider.send("debug_traceCall", [call, "latest", { tracer: "callTracer" }]);
			assert.equal(outer.calls[0].type, "DELEGATECALL");
			assert.equal(await box.retrieve(), 2n, "and nothing stays");
		}],
	];
}

// --- the command line ---

function casesOfCommandLine(node, [owner]) {
	const dir = freshDirectory("contracts"), file = (name) => path.join(dir, name);
	const artifactFile = path.join(contractsPath, "artifacts/Token.json");
	const weft = async (args, wanted = 0) => {
		const { code, stdout, stderr } = await run(weftPath, args, { env: { WEFT_RPC: node.url } });
		assert.equal(code, wanted, stdout + stderr);
		return stdout.trim();
	};
	const signed = ["--from", owner.address, "--keystore", file("keys"), "--password-file", file("password"), "--wait", "--json"];
	const other = fresh();
	let token;

	return [
		["deploys, sends and asks", async () => {
			fs.writeFileSync(file("key"), owner.privateKey);
			fs.writeFileSync(file("password"), "of a test\n");
			await weft(["account", "import", "--key-file", file("key"), "--keystore", file("keys"),
				"--password-file", file("password"), "--lightkdf"]);
			({ contract: token } = JSON.parse(await weft(["deploy", artifactFile, "By hand", "HND", "1e3", ...signed])));
			assert.equal(await weft(["call", token, "symbol()(string)"]), '"HND"');
			const sent = JSON.parse(await weft(["send", token, "--abi", artifactFile, "transfer", other, "7", ...signed]));
			assert.equal(sent.status, "success");
			assert.equal(await weft(["call", token, "--abi", artifactFile, "balanceOf", other]), "7");
		}],
		["tells a custom error with its arguments", async () => {
			const said = JSON.parse(await weft(["call", token, "--abi", artifactFile, "transfer", owner.address, "8",
				"--from", other, "--json"], 1));
			assert.equal(said.reverted.error, "ERC20InsufficientBalance(address,uint256,uint256)");
			assert.deepEqual(said.reverted.values.map(({ value }) => value), [other, "7", "8"]);
		}],
		["finds logs of events", async () => {
			const { logs } = JSON.parse(await weft(["logs", "--address", token, "--abi", artifactFile, "--event", "Transfer", "--json"]));
			assert.deepEqual(logs.map(({ event, values }) => [event, values.at(-1).value]),
				[["Transfer(address,address,uint256)", "1000"], ["Transfer(address,address,uint256)", "7"]]);
		}],
		["deploys where CREATE2 says", async () => {
			const salt = word(3);
			const { contract } = JSON.parse(await weft(["deploy", path.join(contractsPath, "artifacts/Parcel.json"), "6",
				"--salt", salt, ...signed]));
			assert.equal(contract, getCreate2Address(deployerAddress, salt,
				keccak256(concat([artifact("Parcel").bytecode, word(6)]))));
		}],
	];
}

// --- viem ---

function casesOfViem({ client, wallet, accounts }) {
	const [owner, alice, , , , , account] = accounts;
	const of = (name) => { const { abi, bytecode } = artifact(name); return { abi, bytecode }; };
	let token;
	const deployed = async (name, args = [], fields = {}) => {
		const hash = await wallet.deployContract({ account: owner, ...of(name), args, ...fields });
		const receipt = await client.waitForTransactionReceipt({ hash });
		assert.equal(receipt.status, "success");
		return { address: getAddress(receipt.contractAddress), abi: of(name).abi };
	};
	const written = async (request) => client.waitForTransactionReceipt({ hash: await wallet.writeContract(request) });
	const reverted = async (promise, name, args) => {
		const error = await failure(promise);
		assert.ok(error instanceof BaseError, error.message);
		const inner = error.walk((e) => e instanceof ContractFunctionRevertedError);
		assert.equal(inner?.data?.errorName, name, error.message);
		assert.deepEqual(inner.data.args ?? [], args);
	};

	return [
		["deploys, reads, simulates and writes", async () => {
			token = await deployed("Token", ["Viem", "VIE", 500n]);
			assert.equal(await client.readContract({ ...token, functionName: "balanceOf", args: [owner.address] }), 500n);
			const call = { ...token, account: owner, functionName: "transfer", args: [alice.address, 20n] };
			const { request, result } = await client.simulateContract(call);
			assert.equal(result, true);
			const receipt = await written(request);
			const event = decodeEventLog({ abi: token.abi, ...receipt.logs[0] });
			assert.deepEqual(event, { eventName: "Transfer", args: { from: owner.address, to: alice.address, value: 20n } });
			const gas = await client.estimateContractGas(call);
			assert.ok(gas >= 21000n && gas < 60000n, `${gas}`);
		}],
		["decodes custom errors, reasons and panics", async () => {
			await reverted(client.simulateContract({
				...token, account: alice, functionName: "transfer", args: [owner.address, 21n],
			}), "ERC20InsufficientBalance", [alice.address, 20n, 21n]);
			const faults = await deployed("Faults", [true]);
			const read = (functionName, args = []) => client.readContract({ ...faults, functionName, args });
			await reverted(read("plain"), "Plain", []);
			await reverted(read("reason", [10n]), "Error", ["Faults: n is not below ten"]);
			await reverted(read("overflow", [2n ** 256n - 1n]), "Panic", [17n]);
			await reverted(wallet.writeContract({ ...faults, account: owner, functionName: "tooLow", args: [5n] }),
				"TooLow", [owner.address, 1n, 5n]);
		}],
		["reads with overridden state, and from code that is not deployed", async () => {
			const slot = keccak256(concat([zeroPadValue(alice.address, 32), word(0)]));
			const balance = { ...token, functionName: "balanceOf", args: [alice.address] };
			assert.equal(await client.readContract({
				...balance, stateOverride: [{ address: token.address, stateDiff: [{ slot, value: word(12345) }] }],
			}), 12345n);
			assert.equal(await client.readContract(balance), 20n, "and nothing stays");
			const at = fresh();
			assert.equal(await client.readContract({
				address: at, abi: artifact("Mortal").abi, functionName: "life",
				stateOverride: [{ address: at, code: artifact("Mortal").deployedBytecode,
					stateDiff: [{ slot: word(0), value: word(8) }] }],
			}), 8n);
			const { data } = await client.call({
				code: artifact("Machine").bytecode,
				data: encodeFunctionData({ abi: artifact("Machine").abi, functionName: "leadingZeros", args: [1n] }),
			});
			assert.equal(BigInt(data), 255n);
		}],
		["finds and watches events", async () => {
			const logs = await client.getContractEvents({ ...token, eventName: "Transfer", fromBlock: 0n, strict: true });
			assert.deepEqual(logs.map(({ args }) => args.value), [500n, 20n]);
			const heard = [];
			const unwatch = client.watchContractEvent({
				...token, eventName: "Transfer", pollingInterval: 100, onLogs: (some) => heard.push(...some),
			});
			// It begins at the block that it finds first.
			await until("an event", async () => {
				await written({ ...token, account: owner, functionName: "transfer", args: [alice.address, 1n] });
				return heard.length > 0;
			});
			unwatch();
			assert.equal(heard[0].args.value, 1n);
		}],
		["delegates an account's code (EIP-7702)", async () => {
			const delegate = await deployed("Delegate");
			const authorization = await wallet.signAuthorization({
				account, contractAddress: delegate.address, executor: "self",
			});
			const hash = await wallet.writeContract({
				abi: delegate.abi, address: account.address, account, authorizationList: [authorization],
				functionName: "execute", args: [[{ to: alice.address, value: coins("0.5"), data: "0x" }]],
			});
			const receipt = await client.waitForTransactionReceipt({ hash });
			assert.deepEqual([receipt.status, receipt.type], ["success", "eip7702"]);
			assert.equal(await client.getCode({ address: account.address }), concat(["0xef0100", delegate.address]));
			const there = await client.getTransaction({ hash });
			assert.equal(there.type, "eip7702");
			assert.equal(getAddress(there.authorizationList[0].address), delegate.address);
			assert.equal(await client.readContract({ ...delegate, address: account.address, functionName: "executed" }), 1n);
		}],
	];
}

await suite("contracts", async () => {
	const node = await new Weftd(["--dev"]).start();
	const provider = new JsonRpcProvider(node.url, undefined, { polling: true, pollingInterval: 50, cacheTimeout: -1 });
	const phrase = Mnemonic.fromPhrase(devPhrase);
	const wallets = Array.from({ length: 10 }, (_, i) =>
		HDNodeWallet.fromMnemonic(phrase, `m/44'/60'/0'/0/${i}`).connect(provider));

	for (const [name, fn] of [
		...casesOfTokens(provider, wallets),
		...casesOfCreation(provider, wallets),
		...casesOfFailure(provider, wallets, node),
		...casesOfState(provider, wallets),
		...casesOfRules(provider, wallets),
		...casesOfDelegation(provider, wallets.slice(3)),
		...casesOfTraces(provider, wallets),
	])
		await test(`contracts: ethers: ${name}`, fn);
	for (const [name, fn] of casesOfCommandLine(node, wallets)) await test(`contracts: weft: ${name}`, fn);
	provider.destroy();

	const chain = defineChain({
		id: 31337, name: "Weft", nativeCurrency: { name: "Weft", symbol: "WEFT", decimals: 18 },
		rpcUrls: { default: { http: [node.url] } },
	});
	const options = { chain, transport: http(node.url, { batch: true }), pollingInterval: 50, cacheTime: 0 };
	const accounts = Array.from({ length: 10 }, (_, addressIndex) => mnemonicToAccount(devPhrase, { addressIndex }));
	const context = { client: createPublicClient(options), wallet: createWalletClient(options), accounts };
	for (const [name, fn] of casesOfViem(context)) await test(`contracts: viem: ${name}`, fn);
	await test("contracts: the node ends cleanly", async () => {
		assert.deepEqual(await node.end(), { code: 0, signal: null });
	});
});
