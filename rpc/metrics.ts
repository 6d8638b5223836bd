import { Counter, Gauge, Histogram, type Registry } from "prom-client";

// Label values come from the method table and from error numbers, never from a client: a label that
// a stranger may choose grows without bound.

/** What the server counts. */
export type RpcMetrics = {
  readonly answered: (method: string, code: number) => void;
  /**
   * Time of one request; a batch is one, called `batch`: timing each of its calls costs too much.
   */
  readonly took: (method: string, durationMs: number) => void;
  /** A request that reached no method. */
  readonly refused: (code: number) => void;
  readonly threw: (method: string) => void;
  /** A request turned away before its body was looked at. */
  readonly shed: (reason: ShedReason) => void;
  readonly inFlight: (change: 1 | -1) => void;
  readonly connection: (change: 1 | -1) => void;
};

/** Why a request or connection was turned away at the door. */
export type ShedReason =
  | "host"
  | "origin"
  | "contentType"
  | "bodyTooLarge"
  | "busy"
  | "memory"
  | "stopping"
  | "connections"
  | "slow";

const durationBucketsSeconds = [0.000_1, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 15, 60];

function durations(registry: Registry): RpcMetrics["took"] {
  const histogram = new Histogram({
    name: "ledger_rpc_duration_seconds",
    help: "Time from a request's start to its answer, by method; a batch is one request.",
    labelNames: ["method"],
    buckets: durationBucketsSeconds,
    registers: [registry],
  });
  return (method, durationMs) => histogram.observe({ method }, durationMs / 1_000);
}

/**
 * Counts in maps and fills the counter when it is read: a labelled counter is slow on a path of 3
 * µs.
 */
function requests(registry: Registry): RpcMetrics["answered"] {
  const counts = new Map<string, Map<number, number>>();
  new Counter({
    name: "ledger_rpc_requests_total",
    help: "Calls answered, by method and JSON-RPC error number (0: result).",
    labelNames: ["method", "code"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [method, codes] of counts)
        for (const [code, count] of codes) this.inc({ method, code }, count);
    },
  });
  return (method, code) => {
    const codes = counts.get(method) ?? new Map<number, number>();
    if (codes.size === 0) counts.set(method, codes);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  };
}

/** A number that goes up and down, told to the registry when it is read. */
function level(registry: Registry, name: string, help: string): (change: 1 | -1) => void {
  let count = 0;
  const gauge: Gauge = new Gauge({
    name,
    help,
    registers: [registry],
    collect: () => gauge.set(count),
  });
  return (change) => {
    count += change;
  };
}

/** Registers the server's metrics. */
export function createRpcMetrics(registry: Registry): RpcMetrics {
  const registers = [registry];
  const throws = new Counter({
    name: "ledger_rpc_throws_total",
    help: "Calls whose method threw: bugs.",
    labelNames: ["method"],
    registers,
  });
  const shed = new Counter({
    name: "ledger_rpc_shed_total",
    help: "Requests and connections turned away at the door, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const answered = requests(registry);
  return {
    answered,
    took: durations(registry),
    refused: (code) => answered("none", code),
    threw: (method) => throws.inc({ method }),
    shed: (reason) => shed.inc({ reason }),
    inFlight: level(registry, "ledger_rpc_requests_in_flight", "HTTP requests being answered."),
    connection: level(registry, "ledger_rpc_connections", "Open HTTP connections."),
  };
}
