import type { Defect } from "./defect.ts";

/** Planted defects of votes, certificates, commits and time. */
export const consensusDefects: readonly Defect[] = [];
