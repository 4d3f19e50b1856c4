// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joinPath, nodeName, parentPath, pathProblem, sequenceSuffix } from "./path.ts";

describe("pathProblem", () => {
  test.each(["/", "/a", "/a/b", "/a.b", "/.a", "/a.", "/...", "/a/...", "/ä/€", "/a b", "/ ", "/\u00a0"])(
    "accepts %j",
    (path) => {
      expect(pathProblem(path)).toBeUndefined();
    },
  );

  test.each([
    ["", "must not be empty"],
    ["a", "must start with /"],
    ["a/b", "must start with /"],
    ["/a/", "must not end with /"],
    ["//", "must not end with /"],
    ["//a", "must not contain an empty segment (//)"],
    ["/a//b", "must not contain an empty segment (//)"],
    ["/.", "must not contain a . or .. segment"],
    ["/..", "must not contain a . or .. segment"],
    ["/a/./b", "must not contain a . or .. segment"],
    ["/a/../b", "must not contain a . or .. segment"],
    ["/a/..", "must not contain a . or .. segment"],
    ["/a\0", "must not contain the character U+0000 (at index 2)"],
    ["/a\u001fb", "must not contain the character U+001F (at index 2)"],
    ["/\u007f", "must not contain the character U+007F (at index 1)"],
    ["/\u009f", "must not contain the character U+009F (at index 1)"],
    ["/😀", "must not contain the character U+D83D (at index 1)"],
    ["/\ue000", "must not contain the character U+E000 (at index 1)"],
    ["/\uf8ff", "must not contain the character U+F8FF (at index 1)"],
    ["/\ufff0", "must not contain the character U+FFF0 (at index 1)"],
    ["/\uffff", "must not contain the character U+FFFF (at index 1)"],
  ])("refuses %j: it %s", (path, problem) => {
    expect(pathProblem(path)).toBe(problem);
  });

  test("agrees with a segment-by-segment reading of the rules", () => {
    const forbidden = ["\u0001", "\u0080", "\ud800", "\ufff1"];
    const unit = fc.constantFrom("/", ".", "a", "b", "é", ...forbidden);
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (tail) => {
        const path = `/${tail}`;
        const segments = tail.split("/");
        const valid =
          path === "/" ||
          segments.every(
            (segment) =>
              !["", ".", ".."].includes(segment) &&
              !forbidden.some((character) => segment.includes(character)),
          );
        expect(pathProblem(path) === undefined).toBe(valid);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("cutting and joining paths", () => {
  test("parent and name of a path put together are the path", () => {
    const segments = fc.array(fc.stringMatching(/^[a-z]{1,5}$/), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(segments, (names) => {
        const path = `/${names.join("/")}`;
        expect(joinPath(parentPath(path), nodeName(path))).toBe(path);
      }),
    );
  });

  test("the root is its own parent and has no name", () => {
    expect([parentPath("/"), nodeName("/"), parentPath("/a"), joinPath("/", "a")]).toEqual([
      "/",
      "",
      "/",
      "/a",
    ]);
  });
});

describe("sequenceSuffix", () => {
  test.each([
    [0, "0000000000"],
    [1, "0000000001"],
    [2_147_483_647, "2147483647"],
    [-2_147_483_648, "-2147483648"],
    // Java's %010d counts the sign among the ten characters.
    [-5, "-000000005"],
  ])("prints counter %d as %s", (counter, suffix) => {
    expect(sequenceSuffix(counter)).toBe(suffix);
  });
});
