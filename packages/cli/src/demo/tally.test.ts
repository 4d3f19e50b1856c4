// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { Tally } from "./tally.ts";

describe("the demo's tally", () => {
  test("counts calls by the server that answered", () => {
    const tally = new Tally();
    tally.addServer("h:3");
    tally.attemptEnded("h:1", true, 0);
    tally.callAnswered("divide(0) = 0");
    tally.attemptEnded("h:2", true, 1);
    tally.callAnswered("divide(1) = 1");
    tally.attemptEnded("h:1", true, 2);
    tally.callAnswered("divide(2) = 2");
    expect(tally.summary()).toMatchObject({
      calls: 3,
      failures: 0,
      byServer: { "h:1": 2, "h:2": 1, "h:3": 0 },
    });
    expect(tally.lastResult).toBe("divide(2) = 2  by h:1");
  });

  test("a call that another server saved is one call and no failure", () => {
    const tally = new Tally();
    tally.attemptEnded("h:1", false, 0);
    tally.attemptEnded("h:2", true, 1);
    tally.callAnswered("divide(0) = 0");
    expect(tally.summary()).toMatchObject({ calls: 1, failures: 0, byServer: { "h:2": 1 } });
    expect(tally.failovers).toBe(1);
  });

  test("keeps the reason of the first failure", () => {
    const tally = new Tally();
    tally.callFailed("no server");
    tally.callFailed("no luck");
    expect(tally.failures).toBe(2);
    expect(tally.firstFailure).toBe("no server");
    expect(tally.recent).toEqual(["failed", "failed"]);
  });

  test("measures from the first word of the join to the first attempt that began after it", () => {
    const tally = new Tally();
    expect(tally.joinMs).toBeNull();
    tally.serverJoined("h:3", 100);
    tally.serverJoined("h:3", 130);
    tally.attemptEnded("h:1", true, 110);
    expect(tally.joinMs).toBeNull();
    tally.attemptEnded("h:3", true, 142.25);
    tally.attemptEnded("h:3", true, 150);
    expect(tally.summary().joinMs).toBe(42.3);
  });

  test("an attempt that began before the kill is not an attempt on a dead server", () => {
    const tally = new Tally();
    expect(tally.summary().ejectMs).toBeNull();
    tally.serverKilled("h:1", 200);
    tally.attemptEnded("h:1", false, 190);
    expect(tally.summary().ejectMs).toBe(0);
    tally.attemptEnded("h:1", false, 205);
    expect(tally.summary().ejectMs).toBe(5);
  });

  test("remembers a bounded number of recent calls", () => {
    const tally = new Tally();
    for (let call = 0; call < 1_000; call++) tally.attemptEnded(call < 900 ? "old" : "new", true, call);
    expect(tally.recent.length).toBe(200);
    expect(tally.recent.at(-1)).toBe("new");
  });
});
