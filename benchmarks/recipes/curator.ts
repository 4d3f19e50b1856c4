// SPDX-License-Identifier: Apache-2.0
// Curator as a subject: Debian's jars and a small program of ours, compiled for the run.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { findProgram, type ScratchDir, scratchDir } from "@meerkat/testkit";
import type { DriverCommand } from "../lib/driver-process.ts";
import { javaDriverPath } from "../lib/locations.ts";

const JARS = [
  "curator-recipes",
  "curator-framework",
  "curator-client",
  "zookeeper",
  "zookeeper-jute",
  "guava",
  "slf4j-nop",
].map((name) => `/usr/share/java/${name}.jar`);
const PROGRAM = "CuratorRecipes";

/** The compiled program; `command` starts it. */
export interface CuratorProgram extends AsyncDisposable {
  readonly command: DriverCommand;
}

/** Compiles the driver. Gives the reason when this machine lacks something. */
export async function compileCurator(): Promise<CuratorProgram | string> {
  const missing = JARS.filter((jar) => !existsSync(jar) && !jar.includes("jute"));
  const compiler = findProgram("javac");
  const java = findProgram("java");
  if (missing.length > 0 || compiler === undefined || java === undefined) {
    return "curator is left out: needs javac and Debian's libcurator-recipes-java";
  }
  const classes: ScratchDir = await scratchDir();
  const classPath = [classes.path, ...JARS.filter((jar) => existsSync(jar))].join(":");
  const { status, stderr } = spawnSync(
    compiler,
    ["-d", classes.path, "-cp", classPath, javaDriverPath(PROGRAM)],
    { encoding: "utf8" },
  );
  if (status !== 0) {
    await classes.remove();
    return `curator is left out: ${stderr.split("\n")[0]}`;
  }
  return {
    command: { name: "curator", program: java, args: ["-Xmx2g", "-cp", classPath, PROGRAM] },
    [Symbol.asyncDispose]: () => classes.remove(),
  };
}
