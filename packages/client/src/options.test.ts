// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { clientDefaults, resolveClientOptions } from "./options.ts";

test("a connect string alone gives the defaults, and so does undefined", () => {
  expect(resolveClientOptions("a:1")).toEqual({ ...clientDefaults, hosts: "a:1" });
  expect(resolveClientOptions({ hosts: "a:1", requestTimeoutMs: undefined }).requestTimeoutMs).toBe(30_000);
});

test("all faults are named at once", () => {
  const wrong = {
    hosts: 5,
    sessionTimeout: 1,
    sessionTimeoutMs: "soon",
    inFlightMax: 0,
    waitingMax: Number.NaN,
    reconnectDelayMs: { initialMs: 10, maxMs: 1 },
    session: { id: 1n, password: Buffer.alloc(3) },
  };
  expect(() => resolveClientOptions(wrong as never)).toThrow(
    /hosts.*sessionTimeout is no option|sessionTimeout is no option.*hosts/,
  );
  for (const name of ["sessionTimeoutMs", "inFlightMax", "waitingMax", "reconnectDelayMs", "16 bytes"]) {
    expect(() => resolveClientOptions(wrong as never)).toThrow(name);
  }
});
