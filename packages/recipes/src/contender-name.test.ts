// SPDX-License-Identifier: Apache-2.0
import { seededRandom } from "@meerkat/runtime";
import { describe, expect, test } from "vitest";
import {
  blockerOf,
  contenderId,
  contendersOf,
  electionNames,
  lockNames,
  parseContender,
} from "./contender-name.ts";

const A = "f0000000-0000-4000-8000-00000000000a";
const B = "f0000000-0000-4000-8000-00000000000b";
const hex = (id: string): string => id.replaceAll("-", "");
const numbers = (children: string[]): number[] => contendersOf(children).map((each) => each.sequence);

describe("names of contenders", () => {
  test.each([
    [`_c_${A}-lock-0000000003`, "exclusive", 3],
    [`_c_${A}-latch-0000000003`, "exclusive", 3],
    [`_c_${hex(A)}-lock-0000000003`, "exclusive", 3],
    [`_c_${A}-__WRIT__-000000004`, "exclusive", -4],
    [`_c_${A}-__READ__2147483647`, "shared", 2147483647],
    [`${hex(A)}__lock__-2147483648`, "exclusive", -2147483648],
    [`${hex(A)}__rlock__0000000000`, "shared", 0],
  ] as const)("%s is %s, number %d", (name, kind, sequence) => {
    expect(parseContender(name)).toEqual({ name, id: hex(A), kind, sequence, subSequence: undefined });
  });

  test("a number of its own behind the place that it kept", () => {
    for (const [own, text] of [
      [12, "0000000012"],
      [-1, "-000000001"],
      [-2147483648, "-2147483648"],
    ] as const) {
      const parsed = parseContender(`_c_${A}-__READ__-000000001${text}`);
      expect(parsed).toMatchObject({ kind: "shared", sequence: -1, subSequence: own });
    }
  });

  test("a name without an id is its own id", () => {
    expect(parseContender("lock-0000000001")).toMatchObject({ id: "lock-0000000001", sequence: 1 });
  });

  test.each(["config", "lock-", "lock-12", `_c_${A}-lease-0000000001`, "0000000001"])(
    "%s is no contender",
    (name) => {
      expect(parseContender(name)).toBeUndefined();
    },
  );

  test("all are ordered by number whatever their names, over the wrap", () => {
    const children = [
      `${hex(B)}__lock__-2147483648`,
      `_c_${A}-lock-2147483646`,
      "unrelated",
      `_c_${B}-__READ__2147483647`,
      `_c_${B}-latch--2147483647`,
    ];
    expect(numbers(children)).toEqual([2147483646, 2147483647, -2147483648, -2147483647]);
  });

  test("layouts name znodes as Curator and Kazoo do", () => {
    expect(lockNames("both", "lock")(A)).toEqual([`_c_${A}-lock-`, `${hex(A)}__lock__`]);
    expect(lockNames("curator", "read")(A)).toEqual([`_c_${A}-__READ__`]);
    expect(lockNames("curator", "write")(A)).toEqual([`_c_${A}-__WRIT__`]);
    expect(lockNames("kazoo", "read")(A)).toEqual([`${hex(A)}__rlock__`]);
    expect(lockNames("kazoo", "write")(A)).toEqual([`${hex(A)}__lock__`]);
    expect(electionNames("both")(A)).toEqual([`_c_${A}-latch-`, `${hex(A)}__lock__`]);
    expect(electionNames("selector")(A)).toEqual([`_c_${A}-lock-`]);
    expect(electionNames("latch")(A)).toEqual([`_c_${A}-latch-`]);
    expect(electionNames("kazoo")(A)).toEqual([`${hex(A)}__lock__`]);
  });

  test("the hex of an id sorts as text after every number", () => {
    const random = seededRandom(7);
    for (let draws = 0; draws < 50; draws++) {
      expect(contenderId(random)).toMatch(/^f[0-9a-f]{7}-[0-9a-f]{4}-4/);
    }
  });
});

describe("whom a contender waits for", () => {
  const pairOf = (id: string, first: number): string[] => [
    `_c_${id}-__WRIT__000000000${first}`,
    `${hex(id)}__lock__000000000${first + 1}`,
  ];
  const blocker = (children: string[], id: string, kind: "exclusive" | "shared"): string | undefined =>
    blockerOf(contendersOf(children), { id: hex(id), kind })?.name;

  test("one that wants to be alone waits for the nearest before it, never for its own pair", () => {
    const children = ["x-lock-0000000001", "y__rlock__0000000002", ...pairOf(A, 3), "z-lock-0000000009"];
    expect(blocker(children, A, "exclusive")).toBe("y__rlock__0000000002");
    expect(blocker(pairOf(A, 3), A, "exclusive")).toBeUndefined();
  });

  test("a shared one waits only for the nearest that wants to be alone", () => {
    const children = [...pairOf(A, 1), "y__rlock__0000000003", `_c_${B}-__READ__0000000004`];
    expect(blocker(children, B, "shared")).toBe(pairOf(A, 1)[1]);
    expect(blocker(children.slice(2), B, "shared")).toBeUndefined();
  });

  test("one that stepped back keeps its place before a waiting writer and lets readers in", () => {
    const children = [
      `_c_${A}-__READ__00000000010000000007`,
      `${hex(A)}__lock__0000000002`,
      `w-__WRIT__0000000003`,
      `_c_${B}-__READ__0000000004`,
    ];
    expect(blocker(children, B, "shared")).toBe("w-__WRIT__0000000003");
    expect(blocker(["w-__WRIT__0000000003", ...children], A, "shared")).toBeUndefined();
    expect(
      blocker(
        children.filter((name) => !name.startsWith("w")),
        B,
        "shared",
      ),
    ).toBeUndefined();
  });
});
