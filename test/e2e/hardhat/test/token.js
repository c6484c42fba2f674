// As Hardhat's own template has it, with the matchers that the toolbox brings.
import { expect } from "chai";
import { network } from "hardhat";

const { ethers } = await network.create();

describe("Token", function () {
	let token, owner, alice, bob;

	before(async function () {
		[owner, alice, bob] = await ethers.getSigners();
		token = await ethers.deployContract("Token", ["Hard", "HAT", 1000n]);
		await token.waitForDeployment();
	});

	it("is there, with what its constructor was given", async function () {
		expect(await token.name()).to.equal("Hard");
		expect(await token.totalSupply()).to.equal(1000n);
		expect(await token.balanceOf(owner)).to.equal(1000n);
	});

	it("transfers, changes balances and emits events", async function () {
		await expect(token.transfer(alice, 100n))
			.to.emit(token, "Transfer").withArgs(owner, alice, 100n);
		const sent = await token.transfer(alice, 50n);
		await sent.wait();
		await expect(sent).to.changeTokenBalances(ethers, token, [owner, alice], [-50n, 50n]);
	});

	it("refuses with a custom error and its arguments", async function () {
		await expect(token.connect(alice).transfer(bob, 151n))
			.to.be.revertedWithCustomError(token, "ERC20InsufficientBalance").withArgs(alice, 150n, 151n);
		await expect(token.connect(bob).mint(bob, 1n))
			.to.be.revertedWithCustomError(token, "OwnableUnauthorizedAccount").withArgs(bob);
	});

	it("lets an approved spender spend", async function () {
		await (await token.connect(alice).approve(bob, 20n)).wait();
		await (await token.connect(bob).transferFrom(alice, bob, 20n)).wait();
		expect(await token.balanceOf(bob)).to.equal(20n);
	});

	it("moves coins", async function () {
		const sent = await owner.sendTransaction({ to: alice, value: 7n });
		await sent.wait();
		await expect(sent).to.changeEtherBalances(ethers, [owner, alice], [-7n, 7n]);
	});

	it("finds its events", async function () {
		const found = await token.queryFilter(token.filters.Transfer(owner), 0);
		expect(found.map(({ args }) => args[2])).to.deep.equal([100n, 50n]);
	});
});

describe("Faults", function () {
	let faults;

	before(async function () {
		faults = await ethers.deployContract("Faults", [true]);
		await faults.waitForDeployment();
	});

	it("reverts with reasons, panics and without", async function () {
		await expect(faults.reason(10n)).to.be.revertedWith("Faults: n is not below ten");
		await expect(faults.overflow(ethers.MaxUint256)).to.be.revertedWithPanic(0x11);
		await expect(faults.division(0n)).to.be.revertedWithPanic(0x12);
		await expect(faults.plain()).to.be.revertedWithCustomError(faults, "Plain");
		await expect(faults.silent()).to.be.revertedWithoutReason(ethers);
		await expect(ethers.deployContract("Faults", [false])).to.be.revertedWith("Faults: made to fail");
	});
});
