// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { printable, toJsonData } from "./data.ts";

test("valid UTF-8 stays text, other bytes become Base64, and both come back the same", () => {
  expect(toJsonData(Buffer.from("héllo\n"))).toEqual({ data: "héllo\n", encoding: "utf8" });
  expect(toJsonData(Buffer.of(0xef, 0xbb, 0xbf, 0x61))).toEqual({ data: "\ufeffa", encoding: "utf8" });
  const bytes = Buffer.of(0xff, 0xfe, 0x00);
  const { data, encoding } = toJsonData(bytes);
  expect(encoding).toBe("base64");
  expect(Buffer.from(data, "base64")).toEqual(bytes);
  expect(toJsonData(Buffer.alloc(0))).toEqual({ data: "", encoding: "utf8" });
});

test("control characters cannot reach a terminal, tabs and newlines can", () => {
  expect(printable("a\u001b[31mb\u0007\tc\nd\u009b")).toBe("a\\x1b[31mb\\x07\tc\nd\\x9b");
});
