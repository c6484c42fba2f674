// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// What the factory makes: it knows who made it, and holds coins.
contract Parcel {
    address public immutable maker;
    uint256 public immutable number;

    constructor(uint256 number_) payable {
        maker = msg.sender;
        number = number_;
    }
}

/// CREATE and CREATE2, with the addresses told beforehand.
contract Factory {
    event Made(address indexed parcel, bytes32 indexed salt, uint256 number);

    function predict(bytes32 salt, uint256 number) public view returns (address) {
        bytes32 hash = keccak256(abi.encodePacked(type(Parcel).creationCode, abi.encode(number)));
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, hash)))));
    }

    function make2(bytes32 salt, uint256 number) external payable returns (Parcel parcel) {
        parcel = new Parcel{salt: salt, value: msg.value}(number);
        emit Made(address(parcel), salt, number);
    }

    function make(uint256 number) external payable returns (Parcel parcel) {
        parcel = new Parcel{value: msg.value}(number);
        emit Made(address(parcel), bytes32(0), number);
    }
}
