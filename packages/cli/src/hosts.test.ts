// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { parseHosts } from "./hosts.ts";
import { UsageError } from "./usage-error.ts";

test("splits servers and chroot", () => {
  expect(parseHosts("a:1,b,[::1]:3/app/x/")).toEqual({
    servers: [
      { host: "a", port: 1 },
      { host: "b", port: 2181 },
      { host: "::1", port: 3 },
    ],
    serversText: "a:1,b,[::1]:3",
    chroot: "/app/x",
  });
  expect(parseHosts("a:1/").chroot).toBe("");
});

test.each(["", "a:", "a:0", "a:70000", "a b:1", "::1:2181", "a:1,,b:2"])("refuses %j", (text) => {
  expect(() => parseHosts(text)).toThrow(UsageError);
});
