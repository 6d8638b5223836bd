import { readFileSync, writeFileSync } from "node:fs";
import type { Digest } from "../../base/brand.ts";
import { hexToBytesOrNull, textToDigestOrNull } from "../../base/bytes.ts";
import { NodeError } from "../../base/nodeError.ts";
import { LedgerClient } from "../../sdk/client.ts";
import { committeeFromJson, verifyEvidence } from "../../sdk/evidence.ts";
import { fieldsOf } from "../../sdk/jsonFields.ts";
import type { Action } from "../commandTree.ts";
import { printDocument, type Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, digestFlag, requiredFlag } from "../flags.ts";

function call(context: Context, method: string, params: unknown): Promise<unknown> {
  const client = new LedgerClient({ url: context.settings.rpcUrl });
  return client.call(method, params, { signal: context.signal });
}

/** `evidence list`: what waits for a block, and who was punished. */
export const listEvidence: Action = async (context) => {
  printDocument(context, await call(context, "ledger.listEvidence", {}));
};

/** `evidence show`: one piece with its committee; `--output` writes what `verify` reads. */
export const showEvidence: Action = async (context, flags, [hash]) => {
  const digest = digestFlag("hash", requiredFlag("hash", hash));
  const document = await call(context, "ledger.getEvidence", { hash: digest });
  const output = flags.text("output");
  if (output === undefined) return printDocument(context, document);
  writeNewFile(output, `${JSON.stringify(document, null, 4)}\n`);
  context.warn(`written to ${output}`);
};

/** `evidence submit`: hands a file's evidence to the node. */
export const submitEvidence: Action = async (context, flags, [file]) => {
  const { evidence } = readEvidenceFile(requiredFlag("file", file));
  const reporter = flags.text("reporter");
  const params = {
    evidence,
    ...(reporter === undefined ? {} : { reporter: addressFlag("--reporter", reporter) }),
  };
  printDocument(context, await call(context, "ledger.submitEvidence", params));
};

/** `evidence verify`: offline, by file and committee. */
export const verifyEvidenceFile: Action = (context, flags, [name]) => {
  const file = readEvidenceFile(requiredFlag("file", name));
  const committeePath = flags.text("committee");
  const genesisText = flags.text("genesis");
  const committee =
    committeePath === undefined ? file.committee : committeeFromJson(readJson(committeePath));
  if (committee === null) {
    throw new UsageError(`${committeePath ?? name} holds no committee: {epoch, validators}`, {
      hint: "--committee=FILE: what query validators --json printed in the evidence's epoch",
    });
  }
  const genesis = genesisText === undefined ? file.genesis : digestFlag("--genesis", genesisText);
  if (genesis === null) {
    throw new UsageError("the file names no chain: give its genesis hash with --genesis");
  }
  if (committeePath === undefined) {
    context.warn("verified with the committee that the file itself names: is it the chain's?");
  }
  const bytes = hexToBytesOrNull(file.evidence) ?? new Uint8Array(0);
  const verdict = verifyEvidence(bytes, { committee, genesis });
  if (!verdict.ok) throw new NodeError("E_PROOF_INVALID", `proves nothing: ${verdict.refusal}`);
  printDocument(context, { ...verdict.value, genesisHash: genesis });
  return Promise.resolve();
};

type EvidenceFile = {
  /** Hex. */
  readonly evidence: string;
  readonly genesis: Digest | null;
  readonly committee: ReturnType<typeof committeeFromJson>;
};

function writeNewFile(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx" });
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${error instanceof Error ? error.message : ""}`);
  }
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${error instanceof Error ? error.message : ""}`);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new UsageError(`${path} is not JSON`);
  }
}

/** The document of `evidence show`, or of which only `evidence` is there. */
function readEvidenceFile(path: string): EvidenceFile {
  const fields = fieldsOf(readJson(path));
  const evidence = fields["evidence"];
  if (typeof evidence !== "string" || hexToBytesOrNull(evidence) === null) {
    throw new UsageError(`${path} holds no evidence: a JSON object with "evidence" in hex`);
  }
  const genesis = fields["genesisHash"];
  return {
    evidence,
    genesis: typeof genesis === "string" ? textToDigestOrNull(genesis) : null,
    committee: committeeFromJson(fields["committee"]),
  };
}
