// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Every way in which a call can end badly.
contract Faults {
    struct Detail {
        uint64 code;
        string text;
    }

    error Plain();
    error TooLow(address who, uint256 available, uint256 needed);
    error Nested(Detail detail, bytes cause);

    uint256 public count;
    uint256[] private list;

    constructor(bool works) payable {
        require(works, "Faults: made to fail");
    }

    function plain() external pure {
        revert Plain();
    }

    function tooLow(uint256 needed) external {
        count++; // undone
        if (count < needed) revert TooLow(msg.sender, count, needed);
    }

    function reason(uint256 n) external pure returns (uint256) {
        require(n < 10, "Faults: n is not below ten");
        return n;
    }

    function silent() external pure {
        revert();
    }

    function long() external pure {
        revert(unicode"a reason that does not fit in one word of thirty-two bytes — ünïcödé and all");
    }

    function assertion() external pure {
        assert(false);
    }

    function overflow(uint256 a) external pure returns (uint256) {
        return a + 1;
    }

    function division(uint256 by) external pure returns (uint256) {
        return 1 / by;
    }

    function outside(uint256 index) external view returns (uint256) {
        return list[index];
    }

    function emptied() external {
        list.pop();
    }

    /// The other one's error comes through unchanged.
    function through(uint256 needed) external {
        this.tooLow(needed);
    }

    /// The other one's error is caught and told in an error of its own.
    function caught(uint256 needed) external {
        try this.tooLow(needed) {}
        catch (bytes memory cause) {
            revert Nested(Detail(7, "tooLow"), cause);
        }
    }

    /// What a caller survives: the count stays as it was inside, and rises outside.
    function survived(uint256 needed) external returns (bool failed) {
        try this.tooLow(needed) {}
        catch {
            failed = true;
        }
        count += 10;
    }

    /// Ends by gas alone.
    function endless() external {
        while (true) count++;
    }

    /// INVALID takes all gas that is left.
    function invalid() external pure {
        assembly {
            invalid()
        }
    }

    /// Takes no coins: what is sent comes back.
    function unpaid() external {
        count++;
    }
}
