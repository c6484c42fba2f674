// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Code for an account with a key (EIP-7702): it pays several calls in one
/// transaction, and only on its own behalf.
contract Delegate {
    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    error NotSelf(address caller);

    event Executed(address indexed account, uint256 calls);

    uint256 public executed;

    function execute(Call[] calldata calls) external payable {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        for (uint256 i = 0; i < calls.length; i++) {
            (bool ok, bytes memory out) = calls[i].to.call{value: calls[i].value}(calls[i].data);
            if (!ok) {
                assembly {
                    revert(add(out, 0x20), mload(out))
                }
            }
        }
        executed += calls.length;
        emit Executed(address(this), calls.length);
    }

    receive() external payable {}
}
