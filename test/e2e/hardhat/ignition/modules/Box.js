// A proxy and its upgrade, in an order that Ignition has to find.
import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

export default buildModule("Box", (m) => {
	const owner = m.getAccount(0);
	const v1 = m.contract("BoxV1"), v2 = m.contract("BoxV2");
	const proxy = m.contract("ERC1967Proxy", [v1, m.encodeFunctionCall(v1, "initialize", [owner, 7n])]);
	const before = m.contractAt("BoxV1", proxy, { id: "BoxBefore" });
	const upgrade = m.call(before, "upgradeToAndCall", [v2, m.encodeFunctionCall(v2, "upgradeToV2")]);
	const box = m.contractAt("BoxV2", proxy, { after: [upgrade], id: "Box" });

	return { box, v1, v2 };
});
