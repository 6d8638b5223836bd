import fc from "fast-check";
import { expect, test } from "vitest";
import { bigIntToFixedBytes, bytesToAddress, concatBytes, hexToBytes } from "../base/bytes.ts";
import type { Address, Digest } from "../base/brand.ts";
import { keccakDigest } from "../crypto/keccak.ts";
import { emptyAccount, evmScene, journalWith } from "../test/fakes/evmJournal.ts";
import { delegationTo } from "./delegation.ts";
import { createEvm, type Evm } from "./evm.ts";
import type { ForkName } from "./forks.ts";

/*
 * Contracts that call each other, on frames of ours and on the library's own, which are there for
 * tracers: gas, result, logs and state must be the same.
 */

const at = (byte: number): Address => bytesToAddress(new Uint8Array(20).fill(byte));
const caller = at(0xaa);
const contracts = [at(0xc1), at(0xc2), at(0xc3)] as const;
const delegated = at(0xd1);
const delegatedToNobody = at(0xd2);
/** Runs its own delegation's code, which is a delegation again: an invalid instruction. */
const delegatedToItself = at(0xd3);
const empty = at(0xe1);
const nobody = at(0xf1);
const hash = bytesToAddress(bigIntToFixedBytes(2n, 20));
const targets = [
  ...contracts,
  ...contracts,
  delegated,
  delegatedToNobody,
  delegatedToItself,
  empty,
  nobody,
  caller,
  hash,
];

type Case = { readonly codes: readonly Uint8Array[]; readonly gas: bigint };

type Touched = ReadonlyMap<Address, ReadonlySet<Digest>>;

async function outcome(
  evm: Evm,
  { codes, gas }: Case,
): Promise<{ readonly touched: Touched; readonly seen: unknown }> {
  const code = codes[0] ?? new Uint8Array(0);
  const state = journalWith({ contract: contracts[0], code, caller, balance: 10n ** 18n });
  const put = (address: Address, bytes: Uint8Array): void => {
    state.setCode(keccakDigest(bytes), bytes);
    state.setAccount(address, { ...emptyAccount, nonce: 1n, codeHash: keccakDigest(bytes) });
  };
  for (const [i, address] of contracts.entries()) put(address, codes[i] ?? new Uint8Array([0]));
  put(delegated, delegationTo(contracts[1]));
  put(delegatedToNobody, delegationTo(nobody));
  put(delegatedToItself, delegationTo(delegatedToItself));
  state.setAccount(empty, emptyAccount);
  let touched: Touched = new Map();
  const result = await evm.run(
    {
      ...evmScene(state),
      onTouched: (found) => {
        touched = found;
      },
    },
    {
      caller,
      to: contracts[0],
      value: 9n,
      data: Uint8Array.of(1, 2, 3),
      gasLimit: 30_000n + gas,
      gasPrice: 7n,
      accessList: [{ address: nobody, storageKeys: [] }],
      authorizations: [],
    },
  );
  const { accounts, storageCleared, ...changes } = state.changes();
  // That an account is gone which was not there is no difference.
  const removed = [...storageCleared].filter((address) => accounts.get(address) !== null);
  const kept = [...accounts].filter(([address, account]) => account !== null || address === empty);
  return { touched, seen: { result, changes, removed, kept: new Map(kept) } };
}

function push(word: bigint): Uint8Array {
  const digits = word.toString(16);
  const bytes = hexToBytes(digits.length % 2 === 0 ? digits : `0${digits}`);
  return concatBytes(Uint8Array.of(0x5f + bytes.length), bytes);
}

/** Status and size of the answer to memory and storage, so that all that differs shows. */
const keepStatus = hexToBytes("610180523d6101a0525a6101c0523d60ff553d5f61020c3e6101805160fe55");

const callPieces = fc
  .record({
    opcode: fc.constantFrom(0xf1, 0xf1, 0xf1, 0xf2, 0xf4, 0xf4, 0xfa),
    target: fc.constantFrom(...targets),
    value: fc.constantFrom(0n, 0n, 0n, 0n, 1n, 100n),
    gas: fc.constantFrom(0n, 90n, 700n, 3_000n, 30_000n, 1n << 200n),
    input: fc.tuple(fc.nat(100), fc.nat(70)),
    output: fc.tuple(fc.nat(100), fc.nat(70)),
    dirty: fc.constantFrom(0n, 0n, 1n << 255n),
  })
  .map(({ opcode, target, value, gas, input, output, dirty }) => {
    const coins = opcode === 0xf1 || opcode === 0xf2 ? [push(value)] : [];
    const [out, size] = [push(BigInt(output[0])), push(BigInt(output[1]))];
    const [from, length] = [push(BigInt(input[0])), push(BigInt(input[1]))];
    const to = push(BigInt(target) | dirty); // Above the address, bits do not count.
    const call = concatBytes(size, out, length, from, ...coins, to, push(gas));
    return concatBytes(call, Uint8Array.of(opcode), keepStatus);
  });

/** What a contract does between its calls. */
const otherPieces = fc.constantFrom(
  ...[
    "6001600155", // Storage, and some of it back.
    "600160025560006002556003600355",
    "60015460015460025460fe54",
    "60015c5060075f5d", // Transient words.
    "5f5c60045500",
    "6020600ea0", // Logs.
    "600160205fa1",
    "36603052303260505233606052", // Surroundings.
    "34604052475f5247479003",
    "5a60805245604352465f52485f52",
    "5f355f5260203560205260ff5f53",
    "7f600a600c600039600a6000f3602a60005260206000f3000000000000000000005f5260165ff0", // A contract.
    "60205ff0505f5ff050",
    "3d5f5f3e3d61ffff5f3e", // Too much of the answer.
    "60205ff3", // Ends: with an answer, with none, reverting, failing, destroying itself.
    "00",
    "60405ffd",
    "fe",
    "50",
    "30ff",
    "60ff56",
    "5b600a57",
    "44413b503f50",
    "73c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c33b50",
  ].map((text) => hexToBytes(text)),
);

const programs = fc
  .array(fc.oneof({ weight: 3, arbitrary: callPieces }, { weight: 2, arbitrary: otherPieces }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => concatBytes(...parts, hexToBytes("6102005ff3")));

const cases = fc.record({
  codes: fc.tuple(programs, programs, programs),
  gas: fc.oneof(
    fc.bigInt({ min: 0n, max: 60_000n }),
    fc.constantFrom(100_000n, 400_000n, 1_000_000n),
  ),
});

const forks: readonly ForkName[] = ["istanbul", "berlin", "london", "cancun", "osaka"];

test.each(forks)(
  "random contracts that call each other end alike: %s",
  async (fork) => {
    const config = { fork, chainId: 1, precompiles: [] };
    const own = await createEvm({ ...config, traced: false });
    const library = await createEvm({ ...config, traced: true });
    await fc.assert(
      fc.asyncProperty(cases, async (item) => {
        const [ours, expected] = [await outcome(own, item), await outcome(library, item)];
        expect(ours.seen).toEqual(expected.seen);
        // The library also tells of what a frame could not pay for.
        for (const [address, slots] of ours.touched) {
          expect([...(expected.touched.get(address) ?? [])]).toEqual(
            expect.arrayContaining([...slots]),
          );
        }
        expect([...expected.touched.keys()]).toEqual(
          expect.arrayContaining([...ours.touched.keys()]),
        );
      }),
      { numRuns: 300 },
    );
  },
  120_000,
);
