/*
 * Loaded before test/campaigns/soak.ts: what is loaded as the signatures' binding or as libp2p is
 * the stand-in of the same name in test/fakes/, and all else is the program.
 */
import { registerHooks } from "node:module";

const standIns: ReadonlyMap<string, string> = new Map([
  ["crypto/bls.node.ts", "test/fakes/hashBls.ts"],
  ["p2p/libp2pTransport.ts", "test/fakes/memoryHost.ts"],
]);

const root = new URL("../../", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const standIn = standIns.get(resolved.url.replace(root, ""));
    return standIn === undefined ? resolved : { ...resolved, url: `${root}${standIn}` };
  },
});
