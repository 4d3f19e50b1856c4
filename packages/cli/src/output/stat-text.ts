// SPDX-License-Identifier: Apache-2.0
// A znode's `Stat` for people. Programs get `Stat.toJSON`.
import type { Stat } from "@meerkat/client";
import type { Colors } from "../io.ts";
import { type Column, formatTable } from "./table.ts";

/** zxids and session ids are shown as ZooKeeper's own tools do. */
export function hex(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`;
}

/** A time of the server's clock, in ISO 8601 UTC. */
export function isoTime(timeMs: number): string {
  // Beyond the range of Date a server holds nonsense, which is shown as it is.
  return Math.abs(timeMs) <= 8.64e15 ? new Date(timeMs).toISOString() : `${timeMs} ms`;
}

/** The owner of an ephemeral znode. Servers do not tell containers and TTL znodes from others here. */
function ownerText(stat: Stat): string {
  return stat.ephemeralOwner === 0n ? "-" : hex(stat.ephemeralOwner);
}

/** One field a line. */
export function formatStat(path: string, stat: Stat, colors: Colors): string {
  const fields: readonly (readonly [string, string])[] = [
    ["path", path],
    ["created", `${isoTime(stat.ctimeMs)}  zxid ${hex(stat.czxid)}`],
    ["modified", `${isoTime(stat.mtimeMs)}  zxid ${hex(stat.mzxid)}`],
    ["children changed", `zxid ${hex(stat.pzxid)}`],
    ["version", String(stat.version)],
    ["children version", String(stat.cversion)],
    ["acl version", String(stat.aversion)],
    ["owner", ownerText(stat)],
    ["data length", String(stat.dataLength)],
    ["children", String(stat.numChildren)],
  ];
  return fields.map(([name, value]) => `${colors.dim(name.padEnd(17))}${value}`).join("\n");
}

const COLUMNS: readonly Column[] = [
  { title: "NAME" },
  { title: "VERSION", isNumber: true },
  { title: "BYTES", isNumber: true },
  { title: "CHILDREN", isNumber: true },
  { title: "OWNER" },
  { title: "MODIFIED" },
];

/** One znode a line. */
export function formatStatTable(
  entries: readonly { readonly name: string; readonly stat: Stat }[],
  colors: Colors,
): string {
  const rows = entries.map(({ name, stat }) => [
    name,
    String(stat.version),
    String(stat.dataLength),
    String(stat.numChildren),
    ownerText(stat),
    isoTime(stat.mtimeMs),
  ]);
  return formatTable(COLUMNS, rows, colors);
}
