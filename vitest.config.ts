import { defineConfig } from "vitest/config";

/** Tests beside the code: pure, milliseconds each. */
const unitFolders = ["base", "crypto", "consensus", "vm", "store", "ledger", "p2p", "rpc", "sdk"];
const edgeFolders = ["node", "cli", "scripts", "bench"];

/**
 * `tidy` reads the tree, `unit` is everything else of one process but the simulator, `sim` is the
 * simulator, `integration` is real processes. No retries: a test that fails sometimes is broken.
 * Files run two at a time, those of `integration` too: their processes wait more than they compute,
 * each has folders and ports of its own, and none may count on a machine for itself.
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
        test: { name: "tidy", include: ["test/tidy.test.ts", "test/tidy/**/*.test.ts"] },
      },
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            ...[...unitFolders, ...edgeFolders].map((folder) => `${folder}/**/*.test.ts`),
            "test/*.test.ts",
            "test/{vectors,properties,fakes,planted,campaigns}/**/*.test.ts",
          ],
          exclude: ["test/tidy.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "sim",
          include: ["test/sim/**/*.test.ts"],
          testTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["integration/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
