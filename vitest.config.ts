import { defineConfig } from "vitest/config";

/** Tests beside the code: pure, milliseconds each. */
const unitFolders = ["base", "crypto", "consensus", "vm", "store", "ledger", "p2p", "rpc", "sdk"];
const edgeFolders = ["node", "cli", "scripts", "bench"];

/**
 * `unit` is everything of one process but the simulator, `sim` is the simulator, `integration` is
 * real processes. No retries: a test that fails sometimes is broken.
 */
export default defineConfig({
  test: {
    retry: 0,
    globals: false,
    passWithNoTests: false,
    pool: "threads",
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            ...[...unitFolders, ...edgeFolders].map((folder) => `${folder}/**/*.test.ts`),
            "test/*.test.ts",
            "test/{vectors,properties,fakes,planted,tidy,campaigns}/**/*.test.ts",
          ],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "sim",
          include: ["test/sim/**/*.test.ts"],
          testTimeout: 300_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["integration/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
