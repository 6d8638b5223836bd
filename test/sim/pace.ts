/** How far a timestamp may be ahead; the clocks of honest nodes stay closer together than this. */
export const clockDriftMsMax = 500;

/** How many times further the clock of a frail node may be off: it is refused, or refuses. */
export const frailSkewFactor = 50;

/** View timers of simulated nodes. */
export const timing = { shortMs: 1_000, longMs: 4_000, msMax: 20_000 };

/** Between blocks with work, and without. */
export const blockIntervalMsMin = 20;
/** Between blocks without work. */
export const blockIntervalMsIdle = 2_000;

/** Longest execution of a block, and how many times longer a slow one takes. */
export const executionUsMax = 5_000;
/** How many times longer a slow block takes. */
export const slowFactor = 1_000;
