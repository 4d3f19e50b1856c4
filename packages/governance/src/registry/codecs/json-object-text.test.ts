// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isTooDeep, JsonObjectText } from "./json-object-text.ts";

describe("an object as text", () => {
  test("keeps what is not changed, digit for digit", () => {
    const text =
      ' { "a" : 2.0 , "long":9007199254740993,"b":[1, {"x":"}\\","}] ,"a\\u0041":null,"last":true}\n';
    const object = JsonObjectText.parse(text);
    object?.set("a", "3");
    object?.set("last", undefined);
    object?.set("new", '"n"');
    expect(object?.toString()).toBe(
      '{"a":3,"long":9007199254740993,"b":[1, {"x":"}\\","}],"aA":null,"new":"n"}',
    );
    expect(object?.toString(" ")).toMatch(/^\{"a": 3, "long": 9007199254740993, /);
  });

  test.each(["", "[]", "null", "3", '"x"', "{", '{"a":1,}', `{"a":${"[".repeat(40)}${"]".repeat(40)}}`])(
    "is not made of %s",
    (text) => {
      expect(JsonObjectText.parse(text)).toBeUndefined();
    },
  );

  test("means the same after a change of one member, however it was written", () => {
    const keys = fc.oneof(fc.constantFrom("a", "b", "__proto__", "1"), fc.string());
    const objects = fc.dictionary(keys, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 6 });
    fc.assert(
      fc.property(
        objects,
        keys,
        fc.jsonValue({ maxDepth: 2 }),
        fc.integer({ min: 0, max: 3 }),
        (object, key, value, indent) => {
          const text = JSON.stringify(object, undefined, indent);
          const edited = JsonObjectText.parse(text);
          expect(JSON.parse(edited?.toString() ?? "")).toEqual(JSON.parse(text));
          edited?.set(key, JSON.stringify(value));
          const entries = Object.entries(JSON.parse(text) as object).filter(([name]) => name !== key);
          const expected = Object.fromEntries([...entries, [key, JSON.parse(JSON.stringify(value))]]);
          expect(JSON.parse(edited?.toString() ?? "")).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });
});

test("brackets in strings do not count as nesting", () => {
  expect(isTooDeep(JSON.stringify({ text: "[".repeat(100) }))).toBe(false);
  expect(isTooDeep(JSON.stringify({ text: '\\"['.repeat(100) }))).toBe(false);
  expect(isTooDeep("[".repeat(33))).toBe(true);
});
