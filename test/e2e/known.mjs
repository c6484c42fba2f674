// known - what every client of a development chain knows beforehand.

export const devPhrase = "test test test test test test test test test test test junk";
export const devChainId = 31337;

/** The deterministic deployer, in genesis. */
export const deployerAddress = "0x4e59b44847b379578588920cA78FbF26c0B4956C";
/** EIP-2935 and EIP-4788: rings of block hashes and of parents' commitments. */
export const historyAddress = "0x0000F90827F1C53a10cb7A02335B175320002935";
export const beaconRootsAddress = "0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02";
export const ringLength = 8191n;

/** The native contract of validators (src/exec/native.h). */
export const validatorsAddress = "0x0000000000000000000000000000000000574501";
export const contractAbi = [
	"function getValidators() view returns (address[] addresses, uint256[] weights)",
	"function totalWeight() view returns (uint256)",
	"function weightOf(address validator) view returns (uint256)",
];
