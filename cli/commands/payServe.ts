import { existsSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { checksumAddress } from "../../crypto/address.ts";
import { FileCatalog } from "../../sdk/pay/catalog.node.ts";
import { PayGate } from "../../sdk/pay/gate.ts";
import { openReceiver } from "../../sdk/pay/stores.node.ts";
import { createFileHandler } from "../../sdk/pay/serve.node.ts";
import { weiPerUnitMax } from "../../sdk/pay/price.ts";
import { formatCoins } from "../../sdk/units.ts";
import type { Action } from "../commandTree.ts";
import type { Context } from "../context.ts";
import { InterruptedError, UsageError } from "../failure.ts";
import { addressFlag, amountFlag, integerFlag, requiredFlag } from "../flags.ts";
import { paySession } from "./pay.ts";

/** Bytes of a megabyte as prices count them. */
const megabyte = 1_000_000n;

/** Between two looks at the chain, in ms. */
const tickMs = 2_000;

/** Wei per byte from a price per megabyte, rounded up to a whole wei. */
export function weiPerByte(flag: string, text: string): bigint {
  const perMegabyte = amountFlag(flag, text, "tfuel");
  const wei = (perMegabyte + megabyte - 1n) / megabyte;
  if (wei > weiPerUnitMax) throw new UsageError(`${flag} is above one TFUEL a byte`);
  return wei;
}

/** `pay serve DIR`: sells the files of a folder by the byte. */
export const serveCommand: Action = async (context, flags, [folder = ""]) => {
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(`${folder.slice(0, 80)} is not a folder`);
  const address = addressFlag("--address", requiredFlag("--address", flags.text("address")));
  const price = requiredFlag("--price-per-mb", flags.text("pricePerMb"));
  const weiPerUnit = weiPerByte("--price-per-mb", price);
  if (weiPerUnit === 0n) throw new UsageError("--price-per-mb is zero");
  const port = integerFlag("--port", flags.text("port") ?? "8402", { min: 0n, max: 65_535n });
  const chunkText = flags.text("chunkBytes") ?? "65536";
  const chunkBytes = Number(
    integerFlag("--chunk-bytes", chunkText, { min: 1_024n, max: 16_777_216n }),
  );
  const { chain } = await paySession(context, flags, address);
  const receiver = await openReceiver(context.settings.folder, { address, chain });
  try {
    await receiver.value.tick();
    const resource = flags.text("resource");
    const options = resource === undefined ? { chunkBytes } : { chunkBytes, resourceId: resource };
    const catalog = new FileCatalog(folder, options);
    const gate = new PayGate({
      receiver: receiver.value,
      chain: chain.names,
      price: { unit: "byte", weiPerUnit },
    });
    const server = createServer(createFileHandler({ catalog, gate }));
    const url = await listen(server, Number(port), flags.text("host") ?? "127.0.0.1");
    context.print(`serving ${folder} at ${url} for ${formatCoins(weiPerUnit * megabyte)} TFUEL/MB`);
    context.print(`paid to ${checksumAddress(address)}; stop with Ctrl-C, which settles`);
    await untilAborted(context, tickMs, async () => {
      for (const { voucher, paid } of await receiver.value.tick())
        context.warn(`settled ${paid ?? 0n} wei of ${voucher.source}`);
    }).catch((error: unknown) => {
      if (!(error instanceof InterruptedError)) throw error;
    });
    server.close();
    server.closeAllConnections();
    const settled = await receiver.value.settle();
    for (const { voucher, paid } of settled)
      context.print(`settled ${paid ?? 0n} wei of ${voucher.source}`);
    await catalog.close();
  } finally {
    await receiver.close();
  }
};

function listen(server: Server, port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      const bound = server.address();
      const actual = typeof bound === "object" && bound !== null ? bound.port : port;
      resolve(`http://${host.includes(":") ? `[${host}]` : host}:${actual}/`);
    });
  });
}

/** Does the work again and again until Ctrl-C; a node that is away is told and waited for. */
export async function untilAborted(
  context: Context,
  everyMs: number,
  work: () => Promise<void>,
): Promise<never> {
  for (;;) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, everyMs);
      const stop = (): void => {
        clearTimeout(timer);
        resolve();
      };
      context.signal.addEventListener("abort", stop, { once: true });
    });
    if (context.signal.aborted) throw new InterruptedError();
    try {
      await work();
    } catch (error) {
      context.warn(`the chain does not answer: ${error instanceof Error ? error.message : ""}`);
    }
  }
}
