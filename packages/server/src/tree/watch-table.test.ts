// SPDX-License-Identifier: Apache-2.0
import { EventType, WatcherType } from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import { WatchKind, WatchTable } from "./watch-table.ts";

const { nodeDataChanged, nodeChildrenChanged, nodeCreated } = EventType;

describe("WatchTable", () => {
  it("fires a standard watch once and a persistent one for ever, also on the same path", () => {
    const table = new WatchTable();
    const watcher = { identities: [] };
    table.data.add("/a", watcher, WatchKind.standard);
    table.data.add("/a", watcher, WatchKind.standard);
    table.addPersistent("/a", watcher);
    expect(table.data.size).toBe(1);
    expect([...(table.data.trigger("/a", nodeDataChanged) ?? [])]).toEqual([watcher]);
    expect(table.has("/a", watcher, WatcherType.data)).toBe(false);
    expect([...(table.data.trigger("/a", nodeDataChanged) ?? [])]).toEqual([watcher]);
    expect([...(table.child.trigger("/a", nodeChildrenChanged) ?? [])]).toEqual([watcher]);
  });

  it("reports to recursive watchers of the path and of its ancestors, never changes of children", () => {
    const table = new WatchTable();
    const [root, parent, other] = [{ identities: [] }, { identities: [] }, { identities: [] }];
    table.addRecursive("/", root);
    table.addRecursive("/a", parent);
    table.addRecursive("/ab", other);
    expect([...(table.data.trigger("/a/b/c", nodeCreated) ?? [])]).toEqual([parent, root]);
    expect([...(table.data.trigger("/a", nodeCreated) ?? [])]).toEqual([parent, root]);
    expect([...(table.child.trigger("/a", nodeChildrenChanged) ?? [])]).toEqual([]);
    expect([...(table.data.trigger("/", nodeDataChanged) ?? [])]).toEqual([root]);
  });

  it("removes by type and forgets a watcher whole", () => {
    const table = new WatchTable();
    const [watcher, neighbour] = [{ identities: [] }, { identities: [] }];
    table.data.add("/a", watcher, WatchKind.standard);
    table.child.add("/a", watcher, WatchKind.standard);
    table.addRecursive("/a", watcher);
    table.addPersistent("/a", neighbour);
    expect(table.remove("/a", watcher, WatcherType.persistent)).toBe(false);
    expect(table.remove("/a", watcher, WatcherType.data)).toBe(true);
    expect(table.remove("/a", watcher, WatcherType.data)).toBe(false);
    expect(table.has("/a", watcher, WatcherType.children)).toBe(true);
    expect(table.has("/a", watcher, WatcherType.persistentRecursive)).toBe(true);
    table.forget(watcher);
    expect(table.has("/a", watcher, WatcherType.any)).toBe(false);
    expect(table.has("/a", neighbour, WatcherType.any)).toBe(true);
    table.forget(neighbour);
    expect(table.active).toBe(false);
    expect([table.size, table.data.pathCount, table.child.watcherCount]).toEqual([0, 0, 0]);
  });
});
