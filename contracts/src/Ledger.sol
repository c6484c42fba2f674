// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// One slot of every layout, and events of every shape.
contract Ledger {
    event Nothing();
    event Entry(address indexed who, bytes32 indexed key, uint256 indexed amount, string note, bytes raw);
    event Hashed(string indexed text, uint256[] indexed numbers, int8 small);
    event Unnamed(uint256 indexed topic) anonymous;

    uint256 public first = 0x1234; // slot 0
    uint128 private low = 7; // slot 1, the lower half
    uint64 private middle = 8;
    bool private flag = true;
    mapping(address who => uint256) public amounts; // slot 2
    uint256[] public numbers; // slot 3
    string public shortText = "short"; // slot 4
    string public longText = "text of more than thirty-one bytes lies in slots of its own"; // slot 5
    uint256 public immutable fixedNumber;

    constructor(uint256 fixedNumber_) payable {
        fixedNumber = fixedNumber_;
        numbers.push(11);
        numbers.push(22);
    }

    function enter(bytes32 key, uint256 amount, string calldata note, bytes calldata raw) external {
        amounts[msg.sender] = amount;
        emit Entry(msg.sender, key, amount, note, raw);
    }

    function clear() external {
        delete amounts[msg.sender];
        delete numbers;
        delete longText;
    }

    function shapes() external {
        emit Nothing();
        emit Hashed("hashed", numbers, -5);
        emit Unnamed(42);
    }

    function many(uint256 count) external {
        for (uint256 i = 0; i < count; i++) emit Entry(msg.sender, bytes32(i), i, "", "");
    }

    receive() external payable {}
}
