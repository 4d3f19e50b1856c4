// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { Chroot } from "./chroot.ts";

test("without a root paths are themselves", () => {
  for (const chroot of [new Chroot(""), new Chroot("/")]) {
    expect([chroot.outward("/"), chroot.outward("/a"), chroot.inward("/a")]).toEqual(["/", "/a", "/a"]);
  }
});

test("paths go under the root and come back from it, segment by segment", () => {
  const chroot = new Chroot("/app");
  expect([chroot.outward("/"), chroot.outward("/a/b")]).toEqual(["/app", "/app/a/b"]);
  expect([chroot.inward("/app"), chroot.inward("/app/a/b")]).toEqual(["/", "/a/b"]);
  expect(chroot.inward("/apple/a")).toBe("/apple/a");
});
