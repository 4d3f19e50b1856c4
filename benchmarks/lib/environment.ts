// SPDX-License-Identifier: Apache-2.0
// What a result must carry to be compared with another one.
import { execFileSync } from "node:child_process";
import { cpus, loadavg, totalmem } from "node:os";
import { repositoryDir } from "./locations.ts";

/** Where and with what a run was made. */
export interface Environment {
  /** Short hash; `+` at its end when the tree had uncommitted changes. */
  readonly commit: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** ISO 8601, UTC. */
  readonly date: string;
  /** Load average of the last minute before the run. */
  readonly loadAverage: number;
}

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: repositoryDir, encoding: "utf8", stdio: "pipe" }).trim();
}

function commit(): string {
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no") !== "";
    return `${git("rev-parse", "--short", "HEAD")}${changed ? "+" : ""}`;
  } catch {
    return "unknown";
  }
}

/** Looks at this machine and repository. */
export function environment(): Environment {
  return {
    commit: commit(),
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    date: new Date().toISOString(),
    loadAverage: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}
