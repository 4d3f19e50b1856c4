// SPDX-License-Identifier: Apache-2.0
import { CREATOR_ALL_ACL, OPEN_ACL } from "@meerkat/client";
import { expect, test } from "vitest";
import { formatAcl, parseAcl } from "./acl-text.ts";
import { UsageError } from "./usage-error.ts";

test("reads names and lists, with colons inside the id", () => {
  expect(parseAcl("open")).toBe(OPEN_ACL);
  expect(parseAcl("creator")).toBe(CREATOR_ALL_ACL);
  expect(parseAcl("world:anyone:r,digest:bob:aGFzaA==:cdrwa")).toEqual([
    { scheme: "world", id: "anyone", permissions: 1 },
    { scheme: "digest", id: "bob:aGFzaA==", permissions: 31 },
  ]);
});

test("prints what it reads", () => {
  for (const text of ["world:anyone:cdrwa", "digest:bob:hash:rw", "auth::ca", "ip:10.0.0.0/8:r"]) {
    expect(parseAcl(text).map(formatAcl)).toEqual([text]);
  }
});

test.each(["", "world", "world:anyone", "world:anyone:", ":anyone:r", "world:anyone:x"])(
  "refuses %j with a usage error",
  (text) => {
    expect(() => parseAcl(text)).toThrow(UsageError);
  },
);
