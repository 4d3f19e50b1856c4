// SPDX-License-Identifier: Apache-2.0
// The checks themselves: what must not happen is seen when it does.
import type { Hold } from "@meerkat/recipes";
import { describe, expect, it } from "vitest";
import { FencedResource } from "./fenced-resource.ts";
import { History } from "./history.ts";

/** A holder that is sure of itself, rightly or not. */
function holder(token: bigint): Hold {
  return { token, sessionId: token, isHeld: true, signal: new AbortController().signal } as unknown as Hold;
}

interface Guest {
  readonly token: bigint;
  readonly kind?: "exclusive" | "shared";
  readonly forced?: boolean;
}

/** Lets guests in one after the other, each while the ones before are still there. */
async function violations(permits: number, guests: readonly Guest[]): Promise<string[]> {
  const history = new History("checked", 0);
  const resource = new FencedResource(history, permits);
  const visit = async ([guest, ...others]: readonly Guest[]): Promise<void> => {
    if (guest === undefined) return;
    const { token, kind = "exclusive", forced = false } = guest;
    const visitor = { who: `guest ${token}`, hold: holder(token), kind, isForced: () => forced };
    await resource.visit(visitor, 1, () => visit(others));
  };
  await visit(guests);
  return history.violations;
}

describe("the fenced resource", () => {
  it("sees two exclusive holders that are sure at one moment", async () => {
    expect((await violations(1, [{ token: 1n }, { token: 2n }]))[0]).toMatch(
      /^over-granted: guest 1 .* guest 2/,
    );
    expect(await violations(1, [{ token: 1n }])).toEqual([]);
  });

  it("sees a lease too many", async () => {
    expect(await violations(2, [{ token: 1n }, { token: 2n }])).toEqual([]);
    expect(await violations(2, [{ token: 1n }, { token: 2n }, { token: 3n }])).not.toEqual([]);
  });

  it("sees a writer among readers, and lets readers be many", async () => {
    const readers = [1n, 2n, 3n].map((token) => ({ token, kind: "shared" }) as const);
    expect(await violations(1, readers)).toEqual([]);
    expect(await violations(1, [...readers, { token: 4n }])).not.toEqual([]);
  });

  it("excuses only those whose session was ended behind their back, and refuses what they write", async () => {
    expect(await violations(1, [{ token: 1n, forced: true }, { token: 2n }])).toEqual([]);
    const history = new History("checked", 0);
    const resource = new FencedResource(history);
    const work = async (): Promise<void> => {};
    for (const [token, forced] of [
      [2n, false],
      [1n, true],
    ] as const) {
      const visitor = {
        who: "guest",
        hold: holder(token),
        kind: "exclusive",
        isForced: () => forced,
      } as const;
      await resource.visit(visitor, 1, work);
    }
    expect(history.total("writes refused by the fence")).toBe(1);
    expect(history.violations).toEqual([]);
  });

  it("sees a token that goes back", async () => {
    const history = new History("checked", 0);
    const resource = new FencedResource(history);
    for (const token of [2n, 1n]) {
      const visitor = {
        who: "guest",
        hold: holder(token),
        kind: "exclusive",
        isForced: () => false,
      } as const;
      await resource.visit(visitor, 1, async () => {});
    }
    expect(history.violations).toEqual(["guest is sure of token 1 after 2 was seen"]);
  });
});

describe("the history", () => {
  it("takes failures that no fault explains for violations", () => {
    const history = new History("checked", 0);
    history.failure("guest", new TypeError("no such property"), true);
    expect(history.violations[0]).toMatch(/^guest: unexpected TypeError: no such property/);
  });
});
