// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

interface IVault {
    function withdraw() external;
    function withdrawUnguarded() external;
}

/// Coins behind a lock in transient storage (EIP-1153), which is gone with each
/// transaction's end.
contract Vault is ReentrancyGuardTransient, IVault {
    mapping(address who => uint256) public balanceOf;
    uint256 transient private depth;
    uint256 public deepest;

    error TransferFailed(bytes cause);

    function deposit() external payable {
        balanceOf[msg.sender] += msg.value;
    }

    function withdraw() external nonReentrant {
        pay();
    }

    /// The mistake that the lock is for, with a bound.
    function withdrawUnguarded() external {
        pay();
    }

    function pay() private {
        depth += 1;
        if (depth > deepest) deepest = depth;
        uint256 amount = balanceOf[msg.sender];
        (bool ok, bytes memory cause) = msg.sender.call{value: amount}("");
        if (!ok) revert TransferFailed(cause);
        balanceOf[msg.sender] = 0;
    }

    /// What an earlier call of the same transaction left behind.
    function depthNow() external view returns (uint256) {
        return depth;
    }
}

contract Thief {
    IVault private immutable vault;
    bool private guarded;

    constructor(IVault vault_) payable {
        vault = vault_;
        (bool ok,) = address(vault_).call{value: msg.value}(abi.encodeWithSignature("deposit()"));
        require(ok);
    }

    function steal(bool guarded_) external {
        guarded = guarded_;
        guarded ? vault.withdraw() : vault.withdrawUnguarded();
    }

    receive() external payable {
        if (address(vault).balance < msg.value) return;
        guarded ? vault.withdraw() : vault.withdrawUnguarded();
    }
}
