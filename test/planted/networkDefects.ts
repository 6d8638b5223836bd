import type { Defect } from "./defect.ts";

/** Planted defects at the border to other nodes, and in following their chain. */
export const networkDefects: readonly Defect[] = [
  {
    row: "K8",
    about: "what came from a peer is not verified",
    file: "node/verifier.ts",
    find: "    if (!claims.hold()) return false;\n",
    replace: "",
    test: "node/verifier.test.ts",
  },
  {
    row: "N10",
    about: "anybody may speak for a validator",
    file: "node/validatorPeers.ts",
    find: "return blsVerify(key, nodeStatement(genesis, peer), signature) ? bytes : null;",
    replace: "return signature.length > 0 ? bytes : null;",
    test: "node/verifier.test.ts",
  },
  {
    row: "N11",
    about: "who sent a wrong range is asked again",
    file: "consensus/catchUp.ts",
    find: "    this.#excluded.add(name);\n",
    replace: "",
    test: "consensus/catchUp.test.ts",
  },
];
