// SPDX-License-Identifier: Apache-2.0
import { Stat } from "@meerkat/client";
import { expect, test } from "vitest";
import type { CachedNode } from "./cache-change.ts";
import { NodeTable } from "./node-table.ts";

function node(path: string, zxid: bigint): CachedNode {
  const stat = Stat.from({
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctimeMs: 0,
    mtimeMs: 0,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeralOwner: 0n,
    dataLength: 0,
    numChildren: 0,
  });
  return { path, data: Buffer.alloc(0), stat };
}

const types = (table: NodeTable): string[] => table.show().map(({ type, path }) => `${type} ${path}`);

test.each(["/", "/r"])("readers see nothing of what is staged until it is shown, below %s", (root) => {
  const at = (name: string): string => (root === "/" ? `/${name}` : `${root}/${name}`);
  const table = new NodeTable(root);
  for (const path of [root, at("a"), at("a/b"), at("c")]) table.set(node(path, 1n));
  expect([table.size, table.shown.size, table.names(root).size, table.shownNames(root).size]).toEqual([
    4, 0, 2, 0,
  ]);
  expect(types(table)).toHaveLength(4);
  table.remove(at("a"));
  expect([table.size, table.get(at("a/b")), table.shown.has(at("a/b"))]).toEqual([2, undefined, true]);
  expect([...table.shownNames(root)].sort()).toEqual(["a", "c"]);
  expect(types(table).sort()).toEqual([`removed ${at("a")}`, `removed ${at("a/b")}`]);
  expect([[...table.shownNames(root)], [...table.shownNames(at("a"))]]).toEqual([["c"], []]);
});

test("what comes and goes between two showings leaves no trace, what goes and comes is a change", () => {
  const table = new NodeTable("/r");
  table.set(node("/r", 1n));
  table.set(node("/r/a", 1n));
  table.show();
  table.set(node("/r/b", 2n));
  table.remove("/r/b");
  table.remove("/r/b");
  table.remove("/r/a");
  table.set(node("/r/a", 3n));
  expect(types(table)).toEqual(["changed /r/a"]);
  expect([table.size, [...table.names("/r")]]).toEqual([2, ["a"]]);
  table.remove("/r");
  expect(types(table).sort()).toEqual(["removed /r", "removed /r/a"]);
  expect([table.size, table.shown.size]).toEqual([0, 0]);
});
