// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { ConnectThrottle } from "./connect-throttle.ts";

describe("ConnectThrottle", () => {
  it("admits what the bucket holds, each kind at its price, and refills no further than its size", () => {
    const throttle = new ConnectThrottle(
      { tokens: 5, fillIntervalMs: 10, fillCount: 1, newSessionTokens: 3, renewedSessionTokens: 2 },
      1000,
    );
    expect([throttle.admits("new", 1000), throttle.admits("new", 1009)]).toEqual([true, false]);
    expect([throttle.admits("renewed", 1009), throttle.admits("renewed", 1019)]).toEqual([true, false]);
    expect(throttle.admits("renewed", 1020)).toBe(true);
    expect(throttle.admits("new", 9000)).toBe(true);
    expect([throttle.admits("new", 9000), throttle.admits("renewed", 9000)]).toEqual([false, true]);
  });
});
