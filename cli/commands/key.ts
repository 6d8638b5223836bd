import { readFileSync } from "node:fs";
import type { Address } from "../../base/brand.ts";
import { NodeError } from "../../base/nodeError.ts";
import { checksumAddress } from "../../crypto/address.ts";
import {
  createPrivateKey,
  openKeystore,
  readPlainKey,
  writeKeystore,
} from "../../crypto/keystore.ts";
import { addressOf } from "../../crypto/secp256k1.ts";
import {
  deleteKey as deleteStored,
  findKey,
  listKeys as listStored,
  openedOrThrow,
  openKey,
  readKeyFile,
  storeKey,
  writeSecretFile,
} from "../../sdk/keystoreFolder.node.ts";
import type { Action, Flags } from "../commandTree.ts";
import { printDocument, type Context } from "../context.ts";
import { UsageError } from "../failure.ts";
import { addressFlag, requiredFlag } from "../flags.ts";
import { readPassword, readPasswordFile } from "../password.ts";

/** Longest secret text that is read, in characters: 24 words need about 220. */
const secretCharactersMax = 1_024;

function passwordFor(
  context: Context,
  flags: Flags,
  prompt: string,
  kind: "old" | "new",
): Promise<string> {
  return readPassword({
    file: flags.text("passwordFile"),
    flag: flags.text("password"),
    variable: "LEDGER_PASSWORD",
    environment: context.environment,
    warn: context.warn,
    prompt,
    ...(kind === "new" ? { confirm: true as const } : {}),
  });
}

function named(positional: readonly string[]): Address {
  return addressFlag("address", requiredFlag("address", positional[0]));
}

function printStored(context: Context, verb: string, address: Address, path: string): void {
  if (context.json) printDocument(context, { address: checksumAddress(address), path });
  else context.print(`${verb} key: ${checksumAddress(address)}`);
}

/** `key new`. */
export const newKey: Action = async (context, flags) => {
  const password = await passwordFor(context, flags, "Password of the new key", "new");
  const privateKey = createPrivateKey();
  const text = await writeKeystore(privateKey, password);
  const address = addressOfFile(text);
  const path = storeKey(context.settings.folder, address, text, "new");
  printStored(context, "Successfully created", address, path);
};

function addressOfFile(text: string): Address {
  return addressFlag("address", String((JSON.parse(text) as { address: unknown }).address));
}

/** `key list`: one address a line. */
export const listKeys: Action = async (context) => {
  const keys = listStored(context.settings.folder);
  if (context.json) {
    const rows = keys.map((key) => ({ ...key, address: checksumAddress(key.address) }));
    printDocument(context, rows);
    return;
  }
  for (const key of keys) {
    const note = key.kind === "plain" ? "  (not encrypted)" : "";
    context.print(`${checksumAddress(key.address)}${note}`);
  }
};

/** `key delete`: asks for the password, so that no key is lost by a slip. */
export const deleteKey: Action = async (context, flags, positional) => {
  const key = findKey(context.settings.folder, named(positional));
  const prompt = `Password of ${checksumAddress(key.address)}`;
  await openKey(key, () => passwordFor(context, flags, prompt, "old"));
  deleteStored(key);
  printStored(context, "Deleted", key.address, key.path);
};

/** `key password`: from standard input the old one comes first, then the new one. */
export const changePassword: Action = async (context, flags, positional) => {
  const { folder } = context.settings;
  const key = findKey(folder, named(positional));
  const spelled = checksumAddress(key.address);
  const opened = await openKey(key, () =>
    passwordFor(context, flags, `Password of ${spelled}`, "old"),
  );
  const fresh = await newPassword(context, flags, `New password of ${spelled}`);
  const path = storeKey(
    folder,
    key.address,
    await writeKeystore(opened.privateKey, fresh),
    "replace",
  );
  printStored(context, "Changed the password of", key.address, path);
};

/** The new password: its own file, variable or prompt, never the one that opens the old file. */
function newPassword(context: Context, flags: Flags, prompt: string): Promise<string> {
  return readPassword({
    file: flags.text("newPasswordFile"),
    variable: "LEDGER_NEW_PASSWORD",
    environment: context.environment,
    warn: context.warn,
    prompt,
    confirm: true,
  });
}

/** `key import`: a keystore file, a private key or a mnemonic becomes a stored key. */
export const importKey: Action = async (context, flags, [file]) => {
  const sources = [file, flags.text("privateKeyFile"), flags.text("mnemonicFile")];
  if (sources.filter((source) => source !== undefined).length !== 1)
    throw new UsageError("give one of: a keystore file, --private-key-file, --mnemonic-file", {
      hint: "ledgercli key import key.json",
    });
  const [privateKey, password] =
    file === undefined
      ? [
          await bareKey(flags),
          await passwordFor(context, flags, "Password to store it under", "new"),
        ]
      : await fromKeystore(context, flags, file);
  const address = addressOf(privateKey);
  const present = flags.has("force") ? null : await sameKeyStored(context, address, password);
  if (present !== null) {
    printStored(context, "Already stored", address, present);
    return;
  }
  const text = await writeKeystore(privateKey, password);
  const mode = flags.has("force") ? "replace" : "new";
  printStored(context, "Imported", address, storeKey(context.settings.folder, address, text, mode));
};

/** Where the key is stored already under this very password; `null` if it is not. */
async function sameKeyStored(
  context: Context,
  address: Address,
  password: string,
): Promise<string | null> {
  const stored = listStored(context.settings.folder).find((key) => key.address === address);
  if (stored === undefined || stored.kind === "plain") return null;
  const opened = await openKeystore(readKeyFile(stored.path), password);
  return opened.ok && opened.value.address === address ? stored.path : null;
}

async function fromKeystore(
  context: Context,
  flags: Flags,
  file: string,
): Promise<readonly [privateKey: Uint8Array, password: string]> {
  const text = readKeyFile(file);
  const password = await passwordFor(context, flags, `Password of ${file}`, "old");
  const opened = openedOrThrow(await openKeystore(text, password), file);
  const renamed = flags.text("newPasswordFile");
  return [opened.privateKey, renamed === undefined ? password : readPasswordFile(renamed)];
}

async function bareKey(flags: Flags): Promise<Uint8Array> {
  const keyFile = flags.text("privateKeyFile");
  if (keyFile !== undefined) {
    const opened = readPlainKey(readSecret(keyFile));
    // The text itself is a secret: the error repeats nothing of it.
    if (!opened.ok) throw new NodeError("E_BAD_KEY", `${keyFile} holds no valid private key`);
    return opened.value.privateKey;
  }
  const { derivePath, isMnemonic, mnemonicSeed, normalizeMnemonic } =
    await import("../../crypto/mnemonic.ts");
  const wordsFile = requiredFlag("--mnemonic-file", flags.text("mnemonicFile"));
  const words = normalizeMnemonic(readSecret(wordsFile));
  if (!isMnemonic(words))
    throw new NodeError("E_BAD_MNEMONIC", `${wordsFile} holds no BIP-39 mnemonic`, {
      hint: "12 to 24 English words; one that is mistyped breaks the checksum",
    });
  const passphraseFile = flags.text("passphraseFile");
  const passphrase = passphraseFile === undefined ? "" : readPasswordFile(passphraseFile);
  const given = flags.text("path") ?? "";
  const path = given === "theta" ? "m/44'/500'/0'/0/0" : given;
  const privateKey = derivePath(mnemonicSeed(words, passphrase), path);
  if (privateKey === null) throw new UsageError(`--path ${path} is not a derivation path`);
  return privateKey;
}

function readSecret(file: string): string {
  try {
    const text = readFileSync(file === "-" ? 0 : file, "utf8");
    if (text.length <= secretCharactersMax) return text.trim();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    throw new NodeError("E_KEY_UNREADABLE", `cannot read ${file} (${code})`, { cause });
  }
  throw new UsageError(`${file} is longer than ${secretCharactersMax} characters`);
}

/** `key export`: the keystore JSON, or the bare key into a new file of mode 0600. */
export const exportKey: Action = async (context, flags, positional) => {
  const key = findKey(context.settings.folder, named(positional));
  const target = flags.text("privateKeyFile");
  if (target === undefined) {
    if (key.kind === "plain")
      throw new UsageError("the key is not encrypted: --private-key-file FILE exports it");
    context.print(readKeyFile(key.path).trim());
    return;
  }
  const prompt = `Password of ${checksumAddress(key.address)}`;
  const opened = await openKey(key, () => passwordFor(context, flags, prompt, "old"));
  const { bytesToHexDigits } = await import("../../base/bytes.ts");
  writeSecretFile(target, `${bytesToHexDigits(opened.privateKey)}\n`, "new");
  context.warn(`warning: ${target} is not encrypted`);
  printStored(context, "Exported", key.address, target);
};
