import { apiDefects } from "./apiDefects.ts";
import { consensusDefects } from "./consensusDefects.ts";
import type { Defect } from "./defect.ts";
import { evmDefects } from "./evmDefects.ts";
import { encodingDefects } from "./encodingDefects.ts";
import { formatDefects } from "./formatDefects.ts";
import { ledgerDefects } from "./ledgerDefects.ts";
import { networkDefects } from "./networkDefects.ts";
import { nodeDefects } from "./nodeDefects.ts";
import { payDefects } from "./payDefects.ts";
import { poolDefects } from "./poolDefects.ts";
import { storageDefects } from "./storageDefects.ts";

/** All planted defects; every row has at least one. */
export const defects: readonly Defect[] = [
  ...encodingDefects,
  ...formatDefects,
  ...ledgerDefects,
  ...evmDefects,
  ...poolDefects,
  ...payDefects,
  ...storageDefects,
  ...nodeDefects,
  ...networkDefects,
  ...apiDefects,
  ...consensusDefects,
];
