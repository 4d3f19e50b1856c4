// SPDX-License-Identifier: Apache-2.0
// Kazoo and Curator as other processes that want what we want.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Program, runProgram, runPython, type ScratchDir, scratchDir } from "@meerkat/testkit";

const JARS = ["curator-recipes", "curator-framework", "curator-client", "zookeeper", "guava", "slf4j-nop"];
const CLASS_PATH = JARS.map((name) => `/usr/share/java/${name}.jar`).join(":");
const fileOf = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Compiles a program for Curator under tests/java into a directory of its own. */
export async function compileJava(name: string): Promise<ScratchDir> {
  const directory = await scratchDir();
  const compiler = spawn("javac", ["-d", directory.path, "-cp", CLASS_PATH, fileOf(`java/${name}.java`)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = await once(compiler, "exit");
  if (code !== 0) throw new Error(`javac ended with ${String(code)}`);
  return directory;
}

/** Runs a compiled program. */
export function runJava(name: string, classes: ScratchDir, args: readonly string[]): Program {
  return runProgram("java", {
    args: ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", `${classes.path}:${CLASS_PATH}`, name, ...args],
  });
}

/** Another process that takes commands: see tests/python/kazoo_locks.py and tests/java/CuratorPeer.java. */
export class Peer implements AsyncDisposable {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async start(program: Program): Promise<Peer> {
    await program.line("connected", { timeoutMs: 40_000 });
    return new Peer(program);
  }

  static kazoo(hosts: string): Promise<Peer> {
    return Peer.start(runPython(fileOf("python/kazoo_locks.py"), [hosts]));
  }

  static curator(hosts: string, classes: ScratchDir): Promise<Peer> {
    return Peer.start(runJava("CuratorPeer", classes, [hosts]));
  }

  /** Sends a command without waiting for its answer. */
  send(command: string): void {
    this.#program.send(command);
  }

  /** The next line of its answers. */
  answer(): Promise<string> {
    return this.#program.line(/^/, { timeoutMs: 60_000 });
  }

  async ask(command: string): Promise<string> {
    this.send(command);
    return this.answer();
  }

  /** Ends it with SIGKILL: its session stays until it expires. */
  kill(): Promise<void> {
    return this.#program.kill();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
