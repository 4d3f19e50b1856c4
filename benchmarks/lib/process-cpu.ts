// SPDX-License-Identifier: Apache-2.0
// CPU time and memory of other processes, from Linux's /proc.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

let tickUs: number | undefined;

function microsecondsPerTick(): number {
  if (tickUs === undefined) {
    tickUs = 1_000_000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  }
  return tickUs;
}

/** User and system time that a process has used so far, all threads, in µs; resolution 10 ms. */
export function processCpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold spaces, so fields are counted from behind it: 12 and 13.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * microsecondsPerTick();
}

/** Memory of a process that is in RAM, in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const match = /^VmRSS:\s+(\d+) kB/m.exec(status);
  if (match === null) throw new Error(`process ${pid} has no resident memory: has it ended?`);
  return Number(match[1]) * 1024;
}
