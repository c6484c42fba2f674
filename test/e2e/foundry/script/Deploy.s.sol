// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Token} from "../src/Token.sol";
import {BoxV1, BoxV2, ERC1967Proxy} from "../src/Box.sol";
import {Parcel} from "../src/Factory.sol";

/// As much of Foundry's cheat codes as is needed here.
interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// A token, a proxy with its upgrade, and CREATE2, which forge gives to the
/// deterministic deployer.
contract Deploy {
    bool public constant IS_SCRIPT = true;
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function run() external returns (Token token, BoxV2 box, Parcel parcel) {
        vm.startBroadcast();
        token = new Token("Foundry", "FDY", 1_000_000);
        token.transfer(address(0xBEEF), 1234);
        BoxV1 first = new BoxV1();
        ERC1967Proxy proxy = new ERC1967Proxy(address(first), abi.encodeCall(BoxV1.initialize, (msg.sender, 41)));
        BoxV1(address(proxy)).upgradeToAndCall(address(new BoxV2()), abi.encodeCall(BoxV2.upgradeToV2, ()));
        box = BoxV2(address(proxy));
        box.increment();
        parcel = new Parcel{salt: bytes32(uint256(7))}(99);
        vm.stopBroadcast();
    }
}
