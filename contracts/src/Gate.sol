// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// What snarkjs writes for a circuit with two public signals.
interface IVerifier {
    function verifyProof(uint256[2] calldata a, uint256[2][2] calldata b, uint256[2] calldata c, uint256[2] calldata signals)
        external
        view
        returns (bool);
}

/// Opens once, for the account that somebody who knows the secret has named: the
/// proof (Groth16) says that its maker knows what `digest` is made of, and nothing
/// else of it.
contract Gate {
    error NotProven();
    error IsOpen(address by);

    event Opened(address indexed by);

    IVerifier private immutable verifier;
    uint256 public immutable digest;
    address public opener;

    constructor(IVerifier verifier_, uint256 digest_) {
        verifier = verifier_;
        digest = digest_;
    }

    function open(address who, uint256[2] calldata a, uint256[2][2] calldata b, uint256[2] calldata c) external {
        if (opener != address(0)) revert IsOpen(opener);
        if (!verifier.verifyProof(a, b, c, [digest, uint256(uint160(who))])) revert NotProven();
        opener = who;
        emit Opened(who);
    }
}
