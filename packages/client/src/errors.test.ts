// SPDX-License-Identifier: Apache-2.0
import { ErrorCode } from "@meerkat/wire";
import { expect, test } from "vitest";
import { isZooKeeperError, resultName, serverError } from "./errors.ts";

test("every code of the server becomes an error that names operation, path and code", () => {
  for (const [name, err] of Object.entries(ErrorCode)) {
    if (err === ErrorCode.OK) continue;
    const error = serverError(err, "create", "/a/b");
    expect(error.code).toBe(name);
    expect(error.effect).toBe("none");
    expect(error.message).toContain("create /a/b");
    expect(error.message).toContain(name);
    expect(isZooKeeperError(error, error.code)).toBe(true);
  }
});

test("a code newer than this client is an error like any other", () => {
  expect(serverError(-9_999, "get", "/a")).toMatchObject({
    code: "UNKNOWN_ERROR",
    context: { serverCode: -9_999 },
  });
  expect([resultName(0), resultName(-101), resultName(-9_999)]).toEqual([
    "OK",
    "NO_NODE",
    "UNKNOWN_ERROR (-9999)",
  ]);
});
