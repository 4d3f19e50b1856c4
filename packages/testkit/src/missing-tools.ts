// SPDX-License-Identifier: Apache-2.0
// Which outside programs this machine has.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Something that a test needs beside Node. */
export type Tool =
  | "java-zookeeper"
  | "java-curator"
  | "java-curator-discovery"
  | "python-kazoo"
  | "chromium"
  | "openssl";

/** Debian's Apache ZooKeeper. Its manifest names the jars it needs. */
export const ZOOKEEPER_JAR = "/usr/share/java/zookeeper.jar";
/** Debian's Curator, and with it the compiler that programs of ours for it need. */
export const CURATOR_RECIPES_JAR = "/usr/share/java/curator-recipes.jar";
/** Debian's Curator x-discovery. */
export const CURATOR_DISCOVERY_JAR = "/usr/share/java/curator-x-discovery.jar";
/** Debian's Python, the one that sees Debian's kazoo. */
export const PYTHON = "/usr/bin/python3";

/** Finds a program in `PATH`. */
export function findProgram(...names: readonly string[]): string | undefined {
  const { PATH = "" } = process.env;
  for (const name of names) {
    for (const directory of PATH.split(delimiter)) {
      const path = join(directory, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here; the next directory may have it.
      }
    }
  }
  return undefined;
}

function hasCurator(): boolean {
  return (
    findProgram("java") !== undefined && findProgram("javac") !== undefined && existsSync(CURATOR_RECIPES_JAR)
  );
}

const checks: Record<Tool, () => boolean> = {
  "java-zookeeper": () => findProgram("java") !== undefined && existsSync(ZOOKEEPER_JAR),
  "java-curator": hasCurator,
  "java-curator-discovery": () => hasCurator() && existsSync(CURATOR_DISCOVERY_JAR),
  "python-kazoo": () =>
    existsSync(PYTHON) && spawnSync(PYTHON, ["-c", "import kazoo"], { stdio: "ignore" }).status === 0,
  chromium: () => findProgram("chromium", "chromium-browser", "google-chrome") !== undefined,
  openssl: () => findProgram("openssl") !== undefined,
};

/** Results are kept: what is installed does not change under a test run. */
const known = new Map<Tool, boolean>();

/** Those of the named tools that this machine lacks; empty when all are there. */
export function missingTools(...names: readonly Tool[]): Tool[] {
  return names.filter((name) => {
    const present = known.get(name) ?? checks[name]();
    known.set(name, present);
    return !present;
  });
}

/**
 * Decides whether tests that need the tools run. True when all are there. When one is missing, gives false
 * after one line on stderr that says what is skipped; with `MEERKAT_REQUIRE_ALL=1` it throws instead.
 */
export function toolsAvailable(what: string, ...names: readonly Tool[]): boolean {
  const missing = missingTools(...names);
  if (missing.length === 0) return true;
  const message = `${what}: needs ${missing.join(" and ")}, not on this machine`;
  const { MEERKAT_REQUIRE_ALL } = process.env;
  if (MEERKAT_REQUIRE_ALL === "1") throw new Error(`${message} (MEERKAT_REQUIRE_ALL=1)`);
  process.stderr.write(`skipped ${message}\n`);
  return false;
}
