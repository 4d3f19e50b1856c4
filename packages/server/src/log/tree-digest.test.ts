// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import type { SnapshotNode } from "../seam.ts";
import { freshTree } from "./fresh-tree.ts";
import { digestOf } from "./tree-digest.ts";

/** Digest of a fresh tree of Apache ZooKeeper 3.8. */
const FRESH_DIGEST = 1_371_985_504n;

function znode(path: string, data: Uint8Array | null): SnapshotNode {
  return {
    path,
    data,
    acl: null,
    czxid: 1,
    mzxid: 2,
    ctimeMs: 3,
    mtimeMs: 4,
    version: 5,
    cversion: 6,
    aversion: 7,
    ephemeralOwner: 0n,
    pzxid: 9,
  };
}

describe("the digest of a tree", () => {
  it("is ZooKeeper's for a fresh tree", () => {
    expect(digestOf(freshTree.nodes())).toBe(FRESH_DIGEST);
  });

  it("does not see what is below /zookeeper, and sees everything else", () => {
    const fresh = [...freshTree.nodes()];
    expect(digestOf([...fresh, znode("/zookeeper/quota/a", Buffer.from("x"))])).toBe(FRESH_DIGEST);
    expect(digestOf([...fresh, znode("/zookeepers", null)])).not.toBe(FRESH_DIGEST);
    expect(digestOf([...fresh, znode("/zoo", null)])).not.toBe(digestOf([...fresh, znode("/zop", null)]));
  });

  it("is the same for null and empty data, and for any order", () => {
    const long = znode("/long", Buffer.alloc(5000, 1));
    const nothing = digestOf([znode("/a", null), long]);
    expect(digestOf([long, znode("/a", Buffer.alloc(0))])).toBe(nothing);
  });
});
