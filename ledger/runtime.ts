import { jobsModule } from "./jobs.ts";
import { bankModule } from "./modules/bank.ts";
import { chainModule } from "./modules/chain.ts";
import { devModule } from "./modules/dev.ts";
import { evmModule } from "./modules/evm.ts";
import { rewardModule } from "./modules/reward.ts";
import { reserveModule } from "./modules/reserve.ts";
import { splitModule } from "./modules/split.ts";
import { stakeModule } from "./modules/stake.ts";
import { Registry } from "./registry.ts";

/** The modules of this version of the program, composed. */
export const coreRegistry: Registry = new Registry([
  chainModule,
  jobsModule,
  bankModule,
  stakeModule,
  rewardModule,
  splitModule,
  reserveModule,
  evmModule,
  devModule,
]);
