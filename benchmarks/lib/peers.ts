// SPDX-License-Identifier: Apache-2.0
// Rival client libraries, installed on demand into a folder of their own: the project itself never depends
// on them.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { missingTools } from "@meerkat/testkit";
import { peersDir } from "./locations.ts";

/** Pinned, since a row is only comparable with the same rival. */
const VERSIONS = { "node-zookeeper-client": "1.1.3", zookeeper: "7.3.0" } as const;

/** A rival of the client suite. */
export type Peer = keyof typeof VERSIONS | "kazoo";

/** Peers that run here, and one line for each that does not. */
export interface PeersFound {
  readonly peers: readonly Peer[];
  readonly leftOut: readonly string[];
}

/** Tried in a process of its own: this one would remember that the package was missing. */
function loads(name: string): boolean {
  if (!existsSync(peersDir)) return false;
  const { status } = spawnSync(process.execPath, ["-e", `require(${JSON.stringify(name)})`], {
    cwd: peersDir,
    stdio: "ignore",
  });
  return status === 0;
}

/** Installs one package; gives the reason when that fails. */
function install(name: keyof typeof VERSIONS, timeoutMs: number): Promise<string | undefined> {
  mkdirSync(peersDir, { recursive: true });
  const manifest = `${peersDir}/package.json`;
  // Without a manifest of its own npm would look for one further up.
  if (!existsSync(manifest)) writeFileSync(manifest, '{ "private": true }\n');
  return new Promise((resolve) => {
    const spec = `${name}@${VERSIONS[name]}`;
    const args = ["install", "--prefix", peersDir, "--no-audit", "--no-fund", "--loglevel=error", spec];
    // A group of its own, so that at the time limit the compilers that npm started end with it.
    const child = spawn("npm", args, { cwd: peersDir, stdio: ["ignore", "ignore", "pipe"], detached: true });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, timeoutMs);
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve(error.message);
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (late) resolve(`its installation took longer than ${timeoutMs / 1000} s`);
      else resolve(code === 0 ? undefined : (stderr.trim().split("\n")[0] ?? `npm ended with ${code}`));
    });
  });
}

/** Makes the peers ready, installing those that are missing. `timeoutMs` bounds each installation. */
export async function preparePeers(timeoutMs: number): Promise<PeersFound> {
  const peers: Peer[] = [];
  const leftOut: string[] = [];
  for (const name of Object.keys(VERSIONS) as (keyof typeof VERSIONS)[]) {
    const problem = loads(name) ? undefined : await install(name, timeoutMs);
    if (problem === undefined && loads(name)) peers.push(name);
    else leftOut.push(`${name} ${VERSIONS[name]} is left out: ${problem ?? "it does not load"}`);
  }
  if (missingTools("python-kazoo").length === 0) peers.push("kazoo");
  else leftOut.push("kazoo is left out: /usr/bin/python3 has none (Debian: python3-kazoo)");
  return { peers, leftOut };
}
