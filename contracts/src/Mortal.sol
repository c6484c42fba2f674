// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Self-destruction by the rules of EIP-6780: only what was made in the same
/// transaction goes away; else nothing but the coins move.
contract Mortal {
    uint256 public life = 1;

    constructor() payable {}

    function end(address payable heir) external {
        assembly {
            selfdestruct(heir)
        }
    }
}

contract Reaper {
    event Reaped(address mortal, uint256 codeSize);

    /// Made, ended and made again at the same address, if `salt` is the same.
    function reap(bytes32 salt, address payable heir) external payable {
        Mortal mortal = new Mortal{salt: salt, value: msg.value}();
        mortal.end(heir);
        emit Reaped(address(mortal), address(mortal).code.length); // still there until the end
    }
}
