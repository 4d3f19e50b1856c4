// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { parseSrvr } from "./srvr.ts";

test("reads version and role from a server's answer", () => {
  const answer =
    "Zookeeper version: 3.8.0-1, built on 2022-02-25\nLatency min/avg/max: 0/0.0/0\nMode: follower\n";
  expect(parseSrvr(answer)).toEqual({ version: "3.8.0-1", mode: "follower" });
});

test("an answer without either is no report", () => {
  expect(parseSrvr("srvr is not executed because it is not in the whitelist.\n")).toBeUndefined();
  expect(parseSrvr("")).toBeUndefined();
});
