// SPDX-License-Identifier: Apache-2.0
// Rival client libraries, installed on demand into a folder of their own: the project itself never depends
// on them.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { missingTools } from "@meerkat/testkit";
import { NPM_PEERS, type NpmPeer, npmPeerDir } from "./npm-peers.ts";

/** A rival of the client suite. */
export type Peer = NpmPeer | "kazoo";

/** Peers that run here, and one line for each that does not. */
export interface PeersFound {
  readonly peers: readonly Peer[];
  readonly leftOut: readonly string[];
}

/** Tried in a process of its own: this one would remember that the package was missing. */
function loads(name: NpmPeer): boolean {
  if (!existsSync(npmPeerDir(name))) return false;
  const { status } = spawnSync(process.execPath, ["-e", `require(${JSON.stringify(name)})`], {
    cwd: npmPeerDir(name),
    stdio: "ignore",
  });
  return status === 0;
}

/**
 * Installs one package; gives the reason when that fails. It is put in its place when it is whole, so that
 * neither a run that was ended nor two runs at once leave half of it.
 */
async function install(name: NpmPeer, timeoutMs: number): Promise<string | undefined> {
  const unfinished = `${npmPeerDir(name)}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  // Without a manifest of its own npm would look for one further up.
  writeFileSync(`${unfinished}/package.json`, '{ "private": true }\n');
  try {
    const problem = await npmInstall(unfinished, `${name}@${NPM_PEERS[name]}`, timeoutMs);
    if (problem === undefined) renameSync(unfinished, npmPeerDir(name));
    return problem;
  } catch (error) {
    // Another run was faster.
    return existsSync(npmPeerDir(name)) ? undefined : String(error);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** Runs `npm install`; gives the reason when that fails or takes too long. */
function npmInstall(directory: string, spec: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const args = ["install", "--prefix", directory, "--no-audit", "--no-fund", "--loglevel=error", spec];
    // A group of its own, so that at the time limit the compilers that npm started end with it.
    const child = spawn("npm", args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"], detached: true });
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
  for (const name of Object.keys(NPM_PEERS) as NpmPeer[]) {
    const problem = loads(name) ? undefined : await install(name, timeoutMs);
    if (problem === undefined && loads(name)) peers.push(name);
    else leftOut.push(`${name} ${NPM_PEERS[name]} is left out: ${problem ?? "it does not load"}`);
  }
  if (missingTools("python-kazoo").length === 0) peers.push("kazoo");
  else leftOut.push("kazoo is left out: /usr/bin/python3 has none (Debian: python3-kazoo)");
  return { peers, leftOut };
}
