/*
 * Loaded before test/campaigns/soak.ts: in place of the signatures' binding and of libp2p come
 * stand-ins with the same names, and all else is the program.
 */
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const standIns: Readonly<Record<string, string>> = {
  "crypto/bls.node.ts": "test/campaigns/hashBls.ts",
  "p2p/libp2pTransport.ts": "test/fakes/memoryHost.ts",
};

const root = `${pathToFileURL(join(import.meta.dirname, "..", "..")).href}/`;

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const standIn = standIns[resolved.url.replace(root, "")];
    return standIn === undefined ? resolved : { ...resolved, url: `${root}${standIn}` };
  },
});
