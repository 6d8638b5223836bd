// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;
contract Counter {
  uint256 public number;
  event Set(uint256 number);
  constructor(uint256 first) { number = first; }
  function set(uint256 n) external { require(n < 100, "too high"); number = n; emit Set(n); }
}
