// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import type { WatchListener } from "../session/request.ts";
import { OneShotTable } from "./one-shot-table.ts";

const listener = (): WatchListener => () => {};

test("takes all listeners of a path at once, each function once", () => {
  const table = new OneShotTable();
  const [a, b] = [listener(), listener()];
  for (const each of [a, a, b, b, a]) table.add("/p", each);
  table.add("/q", a);
  const taken = new Set<WatchListener>();
  table.take("/p", taken);
  expect([...taken]).toEqual([a, b]);
  expect([...table.paths()]).toEqual(["/q"]);
  table.take("/p", taken);
  expect(taken.size).toBe(2);
});

test("removes one listener or all, and says whether there was one", () => {
  const table = new OneShotTable();
  const [a, b, c] = [listener(), listener(), listener()];
  table.add("/p", a);
  expect([table.remove("/p", b), table.remove("/none", a)]).toEqual([false, false]);
  table.add("/p", b);
  expect([table.remove("/p", c), table.remove("/p", a), table.has("/p")]).toEqual([false, true, true]);
  expect([table.remove("/p", b), table.has("/p"), table.size]).toEqual([true, false, 0]);
  table.add("/p", a);
  table.add("/p", b);
  expect([table.remove("/p", undefined), table.has("/p")]).toEqual([true, false]);
  table.add("/p", a);
  table.clear();
  expect(table.size).toBe(0);
});
