// SPDX-License-Identifier: Apache-2.0
import type { Colors } from "../io.ts";
import { type Column, formatTable } from "../output/table.ts";
import { serverColor } from "./frame.ts";
import type { DemoModel } from "./model.ts";

const COLUMNS: readonly Column[] = [
  { title: "SERVER" },
  { title: "CALLS", isNumber: true },
  { title: "SHARE", isNumber: true },
  { title: "" },
];

/** Columns of the longest bar. */
const BAR_COLUMNS = 30;

/** The end of the demo in numbers. */
export function formatSummary(model: DemoModel, colors: Colors): string {
  const { tally, servers } = model;
  const answered = Math.max(1, tally.calls - tally.failures);
  const rows = servers.map((server) => {
    const calls = tally.answeredBy(server.key);
    const share = calls / answered;
    const paint = serverColor(server, colors);
    return [
      paint(server.key),
      String(calls),
      `${(share * 100).toFixed(1)} %`,
      paint("█".repeat(Math.round(share * BAR_COLUMNS))),
    ];
  });
  const verdict =
    tally.failures === 0
      ? colors.green(`✔ ${tally.calls} calls, 0 failed`)
      : colors.red(`✘ ${tally.calls} calls, ${tally.failures} failed`);
  const [killed, , joined] = servers;
  const lines = [
    "",
    `${verdict}, ${tally.failovers} made good by another server`,
    "",
    ...formatTable(COLUMNS, rows, colors).split("\n"),
  ];
  if (tally.joinMs !== null) {
    lines.push("", `${joined?.port} got its first call ${duration(tally.joinMs)} after it joined.`);
  }
  if (tally.ejectMs !== null) {
    const last = tally.ejectMs === 0 ? "no attempt" : `its last attempt ${duration(tally.ejectMs)}`;
    lines.push(`${killed?.port} got ${last} after the kill.`);
  }
  return lines.map((line) => (line === "" ? "" : `  ${line}`)).join("\n");
}

/** A duration for people. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
