// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type EndpointSet,
  emptyEndpointSet,
  endpoint,
  endpointDifference,
  endpointKey,
} from "../endpoint.ts";
import type { DecodedMember } from "../registry/instance-codec.ts";
import { MemberTable } from "./member-table.ts";

function member(path: string, port: number, weight = 1): DecodedMember {
  return {
    kind: "member",
    identity: `address h:${port}`,
    endpoints: [endpoint({ host: "h", port, weight, path })],
  };
}
const at = (zxid: number): { czxid: bigint; mzxid: bigint } => ({ czxid: BigInt(zxid), mzxid: BigInt(zxid) });

test("the first take gives a set even when there is nothing in it", () => {
  const table = new MemberTable();
  expect(table.take(emptyEndpointSet, false)).toMatchObject({
    added: [],
    set: { version: 1, endpoints: [] },
  });
});

test("a take without any change gives nothing", () => {
  const table = new MemberTable();
  table.put("/a", at(1), member("/a", 1));
  const first = table.take(emptyEndpointSet, false)!;
  table.put("/a", at(1), member("/a", 1));
  expect(table.take(first.set, false)).toBeUndefined();
});

test("a change of being stale alone is a change, with the same endpoints", () => {
  const table = new MemberTable();
  table.put("/a", at(1), member("/a", 1));
  const first = table.take(emptyEndpointSet, true)!;
  const second = table.take(first.set, false)!;
  expect(second.set.endpoints).toBe(first.set.endpoints);
  expect(second.set.stale).toBe(false);
});

test("of two znodes with one address the younger counts, and the older again when that is gone", () => {
  const table = new MemberTable();
  table.put("/young", at(9), member("/young", 1));
  table.put("/old", at(3), member("/old", 1));
  const first = table.take(emptyEndpointSet, false)!;
  expect(first.set.endpoints.map(({ path }) => path)).toEqual(["/young"]);
  table.remove("/young");
  expect(table.take(first.set, false)).toMatchObject({ changed: [{ path: "/old" }], added: [], removed: [] });
});

test("holding keeps what vanished until a take without it", () => {
  const table = new MemberTable();
  table.put("/a", at(1), member("/a", 1));
  table.put("/b", at(2), member("/b", 2));
  const first = table.take(emptyEndpointSet, false)!;
  table.remove("/a");
  table.put("/c", at(3), member("/c", 3));
  expect(table.missing(first.set.endpoints)).toBe(1);
  const second = table.take(first.set, true, true)!;
  expect(second).toMatchObject({ added: [{ port: 3 }], removed: [] });
  expect(second.set.endpoints).toHaveLength(3);
  expect(table.take(second.set, false)).toMatchObject({ removed: [{ port: 1 }], added: [] });
});

test("after any changes the sets agree with the members, and the differences with the sets", () => {
  const step = fc.record({
    path: fc.integer({ min: 0, max: 7 }).map((index) => `/n${index}`),
    port: fc.integer({ min: 1, max: 5 }),
    weight: fc.integer({ min: 0, max: 2 }),
    action: fc.constantFrom("put", "remove", "bad", "take"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new MemberTable();
      const truth = new Map<string, { zxid: number; port: number; weight: number } | "bad">();
      let set: EndpointSet = emptyEndpointSet;
      let zxid = 0;
      for (const { action, path, port, weight } of [
        ...steps,
        { action: "take", path: "", port: 0, weight: 0 },
      ]) {
        zxid++;
        if (action === "put") {
          table.put(path, at(zxid), member(path, port, weight));
          truth.set(path, { zxid, port, weight });
        } else if (action === "remove") {
          table.remove(path);
          truth.delete(path);
        } else if (action === "bad") {
          table.put(path, at(zxid), { kind: "bad", reason: "x" });
          truth.set(path, "bad");
        } else {
          const change = table.take(set, false);
          if (change === undefined) continue;
          const plain = endpointDifference(set, change.set);
          for (const list of ["added", "removed", "changed"] as const) {
            expect(new Set(change[list])).toEqual(new Set(plain[list]));
          }
          set = change.set;
        }
      }
      const youngest = new Map<string, { zxid: number; path: string; weight: number }>();
      for (const [path, entry] of truth) {
        if (entry === "bad") continue;
        const key = `h:${entry.port}`;
        if (entry.zxid > (youngest.get(key)?.zxid ?? -1)) youngest.set(key, { ...entry, path });
      }
      expect(new Map(set.endpoints.map((entry) => [endpointKey(entry), [entry.path, entry.weight]]))).toEqual(
        new Map([...youngest].map(([key, { path, weight }]) => [key, [path, weight]])),
      );
      expect(table.bad).toBe([...truth.values()].filter((entry) => entry === "bad").length);
    }),
    { numRuns: 300 },
  );
});

test("members that weigh others multiply, hide what they weigh below 0, and end with their znode", () => {
  const table = new MemberTable();
  table.put("/a", at(1), member("/a", 1, 3));
  table.put("/b", at(2), member("/b", 2));
  let { set } = table.take(emptyEndpointSet, false)!;
  const weights = (): Record<string, number> =>
    Object.fromEntries(set.endpoints.map((entry) => [entry.port, entry.weight]));
  const put = (path: string, zxid: number, factor: number): void => {
    const factorOf = ({ port }: { readonly port: number }): number => (port === 1 ? factor : 1);
    expect(table.put(path, at(zxid), { kind: "weights", factorOf })).toBeUndefined();
  };
  put("/v1", 3, 2);
  const weighed = table.take(set, false)!;
  expect([weighed.added, weighed.removed, weighed.changed.length]).toEqual([[], [], 1]);
  ({ set } = weighed);
  expect(weights()).toEqual({ 1: 6, 2: 1 });
  put("/v2", 4, 0.5);
  ({ set } = table.take(set, false)!);
  expect(weights()).toEqual({ 1: 3, 2: 1 });
  put("/v2", 5, -1);
  const hidden = table.take(set, false)!;
  expect(hidden.removed.map(endpointKey)).toEqual(["h:1"]);
  ({ set } = hidden);
  // A newcomer is weighed as well, and a product beyond all numbers counts for nothing.
  put("/v2", 6, Number.MAX_VALUE);
  table.put("/c", at(7), member("/c", 1, 5));
  ({ set } = table.take(set, false)!);
  expect(weights()).toEqual({ 1: 5, 2: 1 });
  table.remove("/v1");
  table.remove("/v2");
  table.remove("/c");
  ({ set } = table.take(set, false)!);
  expect(weights()).toEqual({ 1: 3, 2: 1 });
  expect(table.bad).toBe(0);
});
