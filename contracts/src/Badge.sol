// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721URIStorage} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// An ERC-721 whose tokens have text of their own.
contract Badge is ERC721URIStorage, Ownable {
    uint256 private nextId = 1;

    constructor() ERC721("Badge", "BDG") Ownable(msg.sender) {}

    function award(address to, string calldata uri) external onlyOwner returns (uint256 id) {
        id = nextId++;
        _safeMint(to, id);
        _setTokenURI(id, uri);
    }
}

/// Takes badges, and hands each on to whom its sender names.
contract Cabinet is IERC721Receiver {
    mapping(uint256 id => address) public giver;

    function onERC721Received(address, address from, uint256 id, bytes calldata) external returns (bytes4) {
        giver[id] = from;
        return IERC721Receiver.onERC721Received.selector;
    }
}
