import { defineConfig } from "hardhat/config";
import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import testRunner from "@nomicfoundation/hardhat-node-test-runner";
import networkHelpers from "@nomicfoundation/hardhat-network-helpers";

const compiler = process.env.SOLC_JS;
export default defineConfig({
  plugins: [hardhatEthers, testRunner, networkHelpers],
  solidity: {
    version: "0.8.37",
    path: compiler,
    settings: { evmVersion: "osaka", optimizer: { enabled: true, runs: 200 } },
  },
  networks: { ledger: { type: "http", url: process.env.LEDGER_URL } },
});
