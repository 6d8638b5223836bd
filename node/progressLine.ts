/** Characters of the bar between its brackets. */
const barWidth = 24;

/** How far a catch-up is. */
export type CatchUpProgress = {
  readonly height: number;
  readonly target: number;
  /** Blocks since it began, and how long they took. */
  readonly blocks: number;
  readonly elapsedMs: number;
};

/** Blocks a second since the catch-up began. */
export function blocksPerSecond({ blocks, elapsedMs }: CatchUpProgress): number {
  return (blocks * 1_000) / Math.max(1, elapsedMs);
}

/** A catch-up in one line for a terminal: a bar, heights, rate, and the time that is left. */
export function progressLine(progress: CatchUpProgress): string {
  const { height, target } = progress;
  const share = target === 0 ? 1 : height / target;
  const filled = Math.floor(share * barWidth);
  const bar = "#".repeat(filled).padEnd(barWidth, ".");
  const rate = blocksPerSecond(progress);
  const left = rate === 0 ? "" : `, ${duration((target - height) / rate)} left`;
  const percent = Math.floor(share * 100);
  return `catching up [${bar}] ${percent} %  ${height} of ${target}  ${rate.toFixed(0)}/s${left}`;
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
