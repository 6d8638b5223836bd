import { AdaptiveTimeout } from "@libp2p/utils";
import { afterEach, expect, test, vi } from "vitest";
import { pingTimeout } from "./libp2pTransport.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("A12: no jump of the clock changes how long a ping may take", () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000_000_000 });
  const limits = new AdaptiveTimeout(pingTimeout);
  for (const jumpMs of [0, 86_400_000, -2 * 86_400_000, 0, -3_600_000, 0]) {
    for (const [whileMs, betweenMs] of [
      [jumpMs, 5],
      [5, jumpMs],
    ] as const) {
      const signal = limits.getTimeoutSignal();
      expect(signal.timeout).toBe(10_000);
      vi.setSystemTime(Date.now() + whileMs);
      limits.cleanUp(signal);
      vi.setSystemTime(Date.now() + betweenMs);
    }
  }
});
