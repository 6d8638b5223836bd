// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";

contract Gold is ERC20 {
  constructor(uint256 supply) ERC20("Gold", "GLD") { _mint(msg.sender, supply); }
}
contract Deed is ERC721 {
  constructor() ERC721("Deed", "DEED") {}
  function mint(address to, uint256 id) external { _safeMint(to, id); }
}
contract Goods is ERC1155 {
  constructor() ERC1155("ipfs://goods/{id}") {}
  function mint(address to, uint256 id, uint256 amount) external { _mint(to, id, amount, ""); }
}
contract Safe is AccessManaged {
  uint256 public opened;
  constructor(address manager) AccessManaged(manager) {}
  function open() external restricted { opened += 1; }
}
contract Manager is AccessManager { constructor(address admin) AccessManager(admin) {} }
contract VersionOne is UUPSUpgradeable {
  uint256 public value;
  function set(uint256 v) external { value = v; }
  function version() external pure virtual returns (uint256) { return 1; }
  function _authorizeUpgrade(address) internal override {}
}
contract VersionTwo is VersionOne {
  function version() external pure override returns (uint256) { return 2; }
}
contract Proxy is ERC1967Proxy { constructor(address logic, bytes memory init) ERC1967Proxy(logic, init) {} }
contract Factory {
  event Made(address where);
  function make(bytes32 salt, bytes memory code) external { emit Made(Create2.deploy(0, salt, code)); }
  function placeOf(bytes32 salt, bytes32 codeHash) external view returns (address) { return Create2.computeAddress(salt, codeHash); }
}
