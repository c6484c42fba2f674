// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Token} from "../src/Token.sol";

interface Vm {
    function envAddress(string calldata name) external view returns (address);
    function prank(address sender) external;
    function expectRevert(bytes calldata data) external;
}

/// On a fork of the running chain: the token that is there, and one made in the fork.
contract TokenTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    Token private token;
    address private owner;

    function setUp() public {
        token = Token(vm.envAddress("WEFT_TOKEN"));
        owner = vm.envAddress("WEFT_OWNER");
    }

    function test_reads_what_is_on_the_chain() public view {
        require(block.chainid == 31337);
        require(token.totalSupply() == 5000);
        require(token.balanceOf(owner) == 4990);
        require(keccak256(bytes(token.symbol())) == keccak256("FRG"));
    }

    function test_transfers_on_the_fork() public {
        vm.prank(owner);
        token.transfer(address(this), 90);
        require(token.balanceOf(owner) == 4900);
        vm.expectRevert(abi.encodeWithSignature(
            "ERC20InsufficientBalance(address,uint256,uint256)", address(this), 90, 91));
        token.transfer(owner, 91);
    }

    function test_deploys_on_the_fork() public {
        Token own = new Token("Own", "OWN", 3);
        require(own.balanceOf(address(this)) == 3);
    }
}
