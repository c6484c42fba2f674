// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

// What a build has to compile for those who deploy it.
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {ProxyAdmin} from "@openzeppelin/contracts/proxy/transparent/ProxyAdmin.sol";

/// A value behind a proxy; its owner replaces the code (UUPS, ERC-1822).
contract BoxV1 is Initializable, UUPSUpgradeable {
    error NotOwner(address caller);

    event ValueChanged(uint256 value);

    address public owner;
    uint256 internal value;

    constructor() {
        _disableInitializers();
    }

    function initialize(address owner_, uint256 value_) external initializer {
        owner = owner_;
        value = value_;
    }

    function store(uint256 value_) public virtual {
        value = value_;
        emit ValueChanged(value_);
    }

    function retrieve() external view returns (uint256) {
        return value;
    }

    function version() external pure virtual returns (uint256) {
        return 1;
    }

    function _authorizeUpgrade(address) internal view override {
        if (msg.sender != owner) revert NotOwner(msg.sender);
    }
}

/// Adds to V1's storage and functions; the value that was stored stays.
contract BoxV2 is BoxV1 {
    uint256 public changes;

    function upgradeToV2() external reinitializer(2) {
        changes = 100;
    }

    function store(uint256 value_) public override {
        super.store(value_);
        changes++;
    }

    function increment() external {
        store(value + 1);
    }

    function version() external pure override returns (uint256) {
        return 2;
    }
}
