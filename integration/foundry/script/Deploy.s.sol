// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;
import {Counter} from "../src/Counter.sol";
interface Vm { function startBroadcast() external; function stopBroadcast() external; }
contract Deploy {
  bool public IS_SCRIPT = true;
  Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
  function run() external {
    vm.startBroadcast();
    Counter counter = new Counter(5);
    counter.set(7);
    vm.stopBroadcast();
    require(counter.number() == 7);
  }
}
