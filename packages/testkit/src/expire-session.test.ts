// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { sessionPassword } from "./expire-session.ts";

test("a session's password follows from its id as in Apache ZooKeeper", () => {
  // A pair that Apache ZooKeeper 3.8.0 gave (tests/golden/frames/connect.json).
  expect(sessionPassword(0x0100_001e_8392_0000n).toString("hex")).toBe("1c157dae79569e365a53a8d0eaa1288b");
});
