// SPDX-License-Identifier: Apache-2.0
// Processes and directories of a test must not outlive it, even when the test process is killed with
// SIGKILL and runs no code of its own any more. So one small shell process holds the other end of a pipe:
// when the pipe closes, for whatever reason, it kills and removes what is still on its list.
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";

/** Reads `+p PID`, `-p PID`, `+d DIR`, `-d DIR`, one a line, until the pipe closes. */
const SCRIPT = `
pids=" "
dirs=" "
while read -r verb what; do
  case "$verb" in
    +p) pids="$pids$what " ;;
    -p) pids="\${pids%% $what *} \${pids#* $what }" ;;
    +d) dirs="$dirs$what " ;;
    -d) dirs="\${dirs%% $what *} \${dirs#* $what }" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for dir in $dirs; do rm -rf "$dir"; done
`;

let reaper: ChildProcess | undefined;

function tell(line: string): void {
  if (reaper === undefined) {
    // A session of its own, so that Ctrl-C in a terminal does not end the reaper before its work is done.
    reaper = spawn("/bin/sh", ["-c", SCRIPT], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    reaper.unref();
    (reaper.stdin as Socket).unref();
    reaper.stdin?.on("error", () => {});
    reaper.on("error", () => {});
  }
  reaper.stdin?.write(`${line}\n`);
}

/** Kills process `pid` when this process ends; the returned function takes that back. */
export function reapProcess(pid: number): () => void {
  tell(`+p ${pid}`);
  let listed = true;
  return () => {
    if (listed) tell(`-p ${pid}`);
    listed = false;
  };
}

/** Removes a directory (a path without spaces) when this process ends; the returned function takes that back. */
export function reapDirectory(path: string): () => void {
  if (/\s/.test(path)) return () => {};
  tell(`+d ${path}`);
  let listed = true;
  return () => {
    if (listed) tell(`-d ${path}`);
    listed = false;
  };
}
