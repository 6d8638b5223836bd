import { rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hexToBytes } from "../base/bytes.ts";
import { PayGate } from "../sdk/pay/gate.ts";
import { connectChain } from "../sdk/pay/nodeChain.ts";
import { openPayer, openReceiver } from "../sdk/pay/stores.node.ts";
import { poolClientScheme, PoolFacilitator, poolServerScheme } from "../sdk/pay/x402Adapters.ts";
import { keySigner } from "../sdk/wallet.ts";
import { checkoutFolder, cleanUp, startPrivatenet, temporaryFolder } from "./harness.ts";
import { installTool } from "./tools.ts";

/*
 * Goal: our scheme is x402 as others speak it: stock `@x402/express` sells, stock `@x402/fetch`
 * buys, and what is in between is a voucher out of a pool of a real chain. The packages are not
 * among our own dependencies.
 */

type Middleware = (...parts: readonly unknown[]) => void;
type Stock = {
  readonly express: () => RequestListener & {
    use(middleware: Middleware): void;
    get(
      path: string,
      handler: (request: unknown, response: { send(text: string): void }) => void,
    ): void;
  };
  readonly paymentMiddleware: (routes: object, server: object) => Middleware;
  readonly ResourceServer: new (facilitator: object) => {
    register(network: string, scheme: object): object;
  };
  readonly wrapFetchWithPaymentFromConfig: (fetching: typeof fetch, config: object) => typeof fetch;
};

let stock: Stock;

beforeAll(async () => {
  const load = createRequire(join(await installTool("x402"), "package.json"));
  const core = load("@x402/core/server") as { x402ResourceServer: Stock["ResourceServer"] };
  stock = {
    express: load("express") as Stock["express"],
    ResourceServer: core.x402ResourceServer,
    paymentMiddleware: (load("@x402/express") as Stock).paymentMiddleware,
    wrapFetchWithPaymentFromConfig: (load("@x402/fetch") as Stock).wrapFetchWithPaymentFromConfig,
  };
}, 180_000);
afterAll(cleanUp);

test("twenty requests, bought by stock fetch from stock express, settle as one", async () => {
  const node = await startPrivatenet(checkoutFolder());
  const folder = temporaryFolder();
  const buyer = keySigner(hexToBytes("44".repeat(32)));
  const seller = keySigner(hexToBytes("11".repeat(32)));
  const { client } = node;
  const chain = await connectChain({ client, signer: buyer });
  const payer = await openPayer(folder, { signer: buyer, chain: chain.names });
  const terms = { fund: 10n ** 18n, collateral: 2n * 10n ** 18n };
  const pool = await chain.open(
    { ...terms, resourceIds: ["weather"], durationBlocks: 1_000 },
    (made) => payer.value.addPool(made),
  );
  await payer.value.addPool(pool);

  const selling = await connectChain({ client, signer: seller });
  const { address } = seller;
  const receiver = await openReceiver(folder, { address, chain: selling });
  await receiver.value.tick();
  const price = { unit: "request", weiPerUnit: 1_000n } as const;
  const gate = new PayGate({ receiver: receiver.value, chain: chain.names, price });
  const network = `eip155:${chain.names.id}`;
  const facilitator = new PoolFacilitator(receiver.value, gate, network);
  const app = stock.express();
  const server = new stock.ResourceServer(facilitator);
  server.register(network, poolServerScheme(gate));
  const route = {
    accepts: {
      scheme: "pool",
      network,
      payTo: address,
      price: { amount: "1000", asset: "native:tfuel" },
      extra: { resourceId: "weather" },
    },
    description: "the weather",
  };
  app.use(stock.paymentMiddleware({ "GET /weather": route }, server));
  app.get("/weather", (_request, response) => response.send("rain"));
  const listening = createServer(app);
  await new Promise<void>((done) => listening.listen(0, "127.0.0.1", done));
  const bound = listening.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  const url = `http://127.0.0.1:${port}/weather`;

  expect((await fetch(url)).status).toBe(402);
  // Their list of known assets has no native coins; what may be spent is the payer's own budget.
  const schemes = [{ network, client: poolClientScheme(payer.value) }];
  const paidFetch = stock.wrapFetchWithPaymentFromConfig(fetch, { schemes, spendControls: false });
  for (let i = 0; i < 20; i += 1) {
    const response = await paidFetch(url);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("rain");
    expect(response.headers.get("payment-response")).not.toBeNull();
  }
  const [settled, ...others] = await receiver.value.settle();
  expect(settled?.paid).toBe(20_000n);
  expect(others).toEqual([]);
  listening.closeAllConnections();
  listening.close();
  await payer.close();
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});
