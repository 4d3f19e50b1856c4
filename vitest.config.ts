import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const resolve = { conditions: ["@meerkat/source"] };
const setupFiles = [fileURLToPath(new URL("tests/support/property-seed.ts", import.meta.url))];
const ssr = { resolve: { conditions: ["@meerkat/source"], externalConditions: ["@meerkat/source"] } };

/**
 * Two projects. `unit` runs the tests beside the code, many to a process, since they touch no
 * network and no disk. `integration` gives every file a process of its own: real servers, sockets
 * and signals live there.
 */
export default defineConfig({
  test: {
    // Integration tests mostly wait for other processes, so more of them than cores keep a core busy.
    maxWorkers: 3,
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: "unit",
          setupFiles,
          include: ["packages/*/src/**/*.test.ts"],
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: "integration",
          setupFiles,
          include: ["tests/**/*.test.ts"],
          pool: "forks",
          testTimeout: 60_000,
          hookTimeout: 90_000,
        },
      },
    ],
  },
});
