import { describe, expect, it } from "vitest";
import { bytesToDigest } from "../base/bytes.ts";
import type { Effect, Input, SafetyRecord, Signable } from "../consensus/types.ts";
import { Host, type World } from "./host.ts";

const block = bytesToDigest(new Uint8Array(32).fill(7));
const vote = { epoch: 0, view: 1, block, parentView: 0 };
const signable: Signable = { type: "vote", vote };
const record: SafetyRecord = {
  epoch: 0,
  votedView: 1,
  lockView: 0,
  highCertificate: {
    epoch: 0,
    view: 0,
    block,
    parentView: 0,
    signers: new Uint8Array(1),
    signature: new Uint8Array(0),
  },
  vote,
  timeout: null,
  proposal: null,
};

/** A world that writes down what was done, and in which one method can fail. */
function recordingWorld(log: string[], failing: string | null): World {
  const act = (name: string): void => {
    log.push(name);
    if (name === failing) throw new Error(`${name} failed`);
  };
  const actLater = async (name: string): Promise<void> => {
    await Promise.resolve();
    act(name);
  };
  return {
    storeBlock: () => actLater("storeBlock"),
    persist: () => actLater("persist"),
    sign: () => {
      act("sign");
      return new Uint8Array(96);
    },
    send: () => act("send"),
    setTimer: () => act("setTimer"),
    buildProposal: () => act("buildProposal"),
    executeBlock: () => act("executeBlock"),
    reviewBlock: () => act("reviewBlock"),
    fallSilent: () => Promise.resolve(act("fallSilent")),
    commit: () => actLater("commit"),
    startEpoch: () => actLater("startEpoch"),
    fetchBlock: () => act("fetchBlock"),
    tellCommit: () => act("tellCommit"),
    sendEpochProof: () => act("sendEpochProof"),
    report: () => act("report"),
    alarm: () => act("alarm"),
  };
}

/** Answers a proposal's execution with the effects of a vote, and its signature with a message. */
function votingMachine(seen: Input["type"][]): { step(input: Input): readonly Effect[] } {
  return {
    step: (input) => {
      seen.push(input.type);
      if (input.type === "blockExecuted")
        return [
          { type: "storeBlock", block },
          { type: "persist", record },
          { type: "sign", signable },
        ];
      if (input.type !== "signed") return [];
      const signed = { vote, signer: 0, signature: input.signature };
      return [{ type: "send", to: { type: "all" }, message: { type: "vote", vote: signed } }];
    },
  };
}

const executed: Input = { type: "blockExecuted", block, result: { valid: true, nextEpoch: null } };

describe("host", () => {
  it("stores, persists, signs and sends in that order, before the next input", async () => {
    const log: string[] = [];
    const seen: Input["type"][] = [];
    const running = new Host(votingMachine(seen), recordingWorld(log, null), () => {});
    running.deliver(executed);
    running.deliver({ type: "workChanged", pending: true });
    await new Promise((resolve) => setImmediate(resolve));
    await running.stop();
    expect(log).toEqual(["storeBlock", "persist", "sign", "send"]);
    expect(seen).toEqual(["blockExecuted", "signed", "workChanged"]);
  });

  it("lets a proposal leave before the vote for it", async () => {
    const statement = { epoch: 0, view: 1, block };
    const inputs: Input[] = [];
    const machine = {
      step: (input: Input): readonly Effect[] => {
        inputs.push(input);
        if (input.type !== "blockExecuted") return [];
        return [
          { type: "sign", signable: { type: "proposal", statement } },
          { type: "sign", signable },
        ];
      },
    };
    const host = new Host(machine, recordingWorld([], null), () => {});
    host.deliver(executed);
    await host.stop();
    const signed = inputs.flatMap((input) =>
      input.type === "signed" ? [input.signable.type] : [],
    );
    expect(signed).toEqual(["proposal", "vote"]);
  });

  it("takes the next input after one that ordered nothing", async () => {
    const log: string[] = [];
    const seen: Input["type"][] = [];
    const host = new Host(votingMachine(seen), recordingWorld(log, null), () => {});
    host.deliver({ type: "workChanged", pending: true });
    host.deliver(executed);
    await new Promise((resolve) => setImmediate(resolve));
    await host.stop();
    expect(seen).toEqual(["workChanged", "blockExecuted", "signed"]);
    expect(log.at(-1)).toBe("send");
  });

  it.each(["storeBlock", "persist"])("never signs after %s failed (D3)", async (failing) => {
    const log: string[] = [];
    const failures: unknown[] = [];
    const host = new Host(votingMachine([]), recordingWorld(log, failing), (e) => failures.push(e));
    host.deliver(executed);
    await new Promise((resolve) => setImmediate(resolve));
    host.deliver(executed);
    await host.stop();
    expect(log).not.toContain("sign");
    expect(failures).toHaveLength(1);
    expect(log.at(-1)).toBe(failing);
  });
});
