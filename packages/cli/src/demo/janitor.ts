// SPDX-License-Identifier: Apache-2.0
// The program of the demo's janitor: it ends the demo's processes and removes its folders when the demo
// itself could not, say because it was killed. It learns what exists line by line on stdin:
// `process PID`, `gone PID`, `folder PATH`, and `done` once everything is cleaned up. When stdin ends
// without `done`, the demo is dead and the janitor does its work.
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";

const pids = new Set<number>();
const folders = new Set<string>();

function cleanUp(): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

// A terminal that closes sends SIGHUP to all; the janitor must outlive the demo.
process.on("SIGHUP", () => {});

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const space = line.indexOf(" ");
    const [verb, value] = space < 0 ? [line, ""] : [line.slice(0, space), line.slice(space + 1)];
    if (verb === "process") pids.add(Number(value));
    else if (verb === "gone") pids.delete(Number(value));
    else if (verb === "folder") folders.add(value);
    else if (verb === "done") process.exit(0);
  })
  .on("close", cleanUp);
