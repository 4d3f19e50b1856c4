// SPDX-License-Identifier: Apache-2.0
import { Stat } from "@meerkat/client";
import { expect, test } from "vitest";
import {
  type CacheChange,
  type CachedNode,
  mergeChanges,
  type NodeChange,
  nodeChange,
} from "./cache-change.ts";

function node(path: string, czxid: bigint, mzxid: bigint): CachedNode {
  const stat = Stat.from({
    czxid,
    mzxid,
    pzxid: czxid,
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

const step = (version: number, ...changes: (NodeChange | undefined)[]): CacheChange => ({
  version,
  synced: version % 2 === 0,
  changes: changes.filter((change) => change !== undefined),
});

test("a change is told by czxid and mzxid, not by version", () => {
  const first = node("/a", 1n, 1n);
  expect(nodeChange("/a", undefined, undefined)).toBeUndefined();
  expect(nodeChange("/a", first, node("/a", 1n, 1n))).toBeUndefined();
  expect(nodeChange("/a", undefined, first)?.type).toBe("added");
  expect(nodeChange("/a", first, undefined)?.type).toBe("removed");
  expect(nodeChange("/a", first, node("/a", 1n, 2n))?.type).toBe("changed");
  expect(nodeChange("/a", first, node("/a", 3n, 3n))?.type).toBe("changed");
});

test("several steps as one say what is left of them", () => {
  const [a1, a2, a3] = [node("/a", 1n, 1n), node("/a", 1n, 2n), node("/a", 5n, 5n)];
  const b = node("/b", 3n, 3n);
  const c = node("/c", 1n, 1n);
  const merged = mergeChanges(
    mergeChanges(
      step(1, nodeChange("/a", a1, a2), nodeChange("/b", undefined, b), nodeChange("/c", c, undefined)),
      step(2, nodeChange("/a", a2, undefined), nodeChange("/b", b, undefined)),
    ),
    step(4, nodeChange("/a", undefined, a3)),
  );
  expect(merged).toEqual({
    version: 4,
    synced: true,
    changes: [
      { type: "changed", path: "/a", node: a3, previous: a1 },
      { type: "removed", path: "/c", previous: c },
    ],
  });
});
