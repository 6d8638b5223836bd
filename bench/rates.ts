import { median, printTable } from "./measure.ts";

/* Rates of several ways to do one thing, measured by turns in one run. */

/** How often each way is measured. */
export const rounds = 3;

/** What one round of a way came to; `serverUs` is of another process, where there is one. */
export type Rate = {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly serverUs?: number;
};

/** Measures the work of so many. */
export async function measured(count: number, work: () => Promise<void> | void): Promise<Rate> {
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  await work();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const used = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuUs: (used.user + used.system) / count };
}

/** So many at a time until all are done. */
export async function inParallel(
  count: number,
  lanes: number,
  work: (i: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) await work(i);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** Each way in turn, some rounds long, after one to warm up. */
export async function alternate(
  ways: readonly (readonly [string, () => Promise<Rate>])[],
): Promise<ReadonlyMap<string, readonly Rate[]>> {
  const rates = new Map<string, Rate[]>(ways.map(([name]) => [name, []]));
  for (const [, way] of ways) await way(); // Warm.
  for (let round = 0; round < rounds; round += 1)
    for (const [name, way] of ways) rates.get(name)?.push(await way());
  return rates;
}

/** Medians and ranges, and each median beside that of `base`. */
export function printRates(
  rates: ReadonlyMap<string, readonly Rate[]>,
  unit: string,
  base: string,
): void {
  const middle = (name: string): number =>
    median((rates.get(name) ?? []).map(({ perSecond }) => perSecond));
  const rows = [...rates].map(([name, list]) => {
    const all = list.map(({ perSecond }) => perSecond);
    const cpu = median(list.map(({ cpuUs }) => cpuUs));
    const server = median(list.map(({ serverUs }) => serverUs ?? 0));
    return [
      name,
      median(all).toFixed(0),
      `${Math.min(...all).toFixed(0)}–${Math.max(...all).toFixed(0)}`,
      cpu.toFixed(1),
      server === 0 ? "" : server.toFixed(1),
      `${((100 * middle(name)) / middle(base)).toFixed(0)} %`,
    ];
  });
  printTable(["", `${unit}/s`, "range", "CPU µs here", "there", "of the first"], rows);
}
