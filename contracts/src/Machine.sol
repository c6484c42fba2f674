// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// What a contract sees of the machine below it.
contract Machine {
    struct Block {
        uint256 chainId;
        uint256 number;
        uint256 timestamp;
        uint256 gasLimit;
        uint256 baseFee;
        uint256 blobBaseFee;
        uint256 random;
        address coinbase;
        bytes32 parent;
    }

    function here() external view returns (Block memory b) {
        b.chainId = block.chainid;
        b.number = block.number;
        b.timestamp = block.timestamp;
        b.gasLimit = block.gaslimit;
        b.baseFee = block.basefee;
        b.blobBaseFee = block.blobbasefee;
        b.random = block.prevrandao;
        b.coinbase = block.coinbase;
        b.parent = blockhash(block.number - 1);
    }

    /// CLZ (EIP-7939) is Osaka's.
    function leadingZeros(uint256 x) external pure returns (uint256 n) {
        assembly {
            n := clz(x)
        }
    }

    /// MCOPY (EIP-5656) on ranges that overlap.
    function shift(bytes memory data, uint256 by) external pure returns (bytes memory) {
        require(by <= data.length);
        assembly {
            mcopy(add(add(data, 0x20), by), add(data, 0x20), sub(mload(data), by))
        }
        return data;
    }

    function recover(bytes32 hash, uint8 v, bytes32 r, bytes32 s) external pure returns (address) {
        return ecrecover(hash, v, r, s);
    }

    function sha2(bytes calldata data) external pure returns (bytes32) {
        return sha256(data);
    }

    function ripemd(bytes calldata data) external pure returns (bytes20) {
        return ripemd160(data);
    }

    /// A signature of a device's secure element, by the precompile of EIP-7951 alone.
    function verifyP256(bytes32 h, bytes32 r, bytes32 s, bytes32 x, bytes32 y) external view returns (bool) {
        return P256.verifyNative(h, r, s, x, y);
    }

    /// A precompile as it is: whether it succeeded, and what it gave.
    function precompile(address place, bytes calldata data) external view returns (bool ok, bytes memory out) {
        (ok, out) = place.staticcall(data);
    }
}
