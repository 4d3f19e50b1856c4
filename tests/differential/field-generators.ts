// SPDX-License-Identifier: Apache-2.0
// Paths and ACLs.
import { type Random, randomInt } from "@meerkat/runtime";
import { type Acl, digestId, Permission } from "@meerkat/wire";
import { chance, pick, pickWeighted } from "./choices.ts";
import { ROOT } from "./sequence.ts";

/** Few, and unevenly used, so that requests meet at the same znodes. */
const NAMES = [
  [5, "a"],
  [3, "b"],
  [1, "c"],
] as const;

/** Below the play's znode, where anything may be created. */
const ODD_OWN_PATHS = [
  "~/",
  "~//a",
  "~/a/",
  "~/a//b",
  "~/.",
  "~/..",
  "~/a/../b",
  "~/a/./b",
  "~/\0",
  "~/a\u0001",
  "~/\u001f",
  "~/\u007f",
  "~/\u009f",
  "~/\ud7ff",
  "~/\ue000",
  "~/\uf8ff",
  "~/\ufeff",
  "~/\ufff0",
  "~/\uffff",
  "~/ü",
  "~/a b",
  "~/...",
  `~/${"long".repeat(80)}`,
] as const;

/** Elsewhere: nothing may come into being there. */
const ODD_OTHER_PATHS = [
  "",
  "a",
  "/",
  "//",
  "/zookeeper",
  "/zookeeper/quota",
  "/zookeeper/config",
  "/nope/x",
  "/zookeeper/",
] as const;

export class PathGenerator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A path below the play's znode, or that znode. */
  own(): string {
    const random = this.#random;
    if (chance(random, 0.04)) return pick(random, ODD_OWN_PATHS);
    const depth = pickWeighted(random, [
      [1, 0],
      [10, 1],
      [7, 2],
      [2, 3],
    ]);
    let path: string = ROOT;
    for (let level = 0; level < depth; level++) path += `/${pickWeighted(random, NAMES)}`;
    // A name as a sequential create makes it.
    if (depth > 0 && chance(random, 0.1)) path += `000000000${randomInt(random, 4)}`;
    return path;
  }

  /** Any path at all. */
  any(): string {
    return chance(this.#random, 0.03) ? pick(this.#random, ODD_OTHER_PATHS) : this.own();
  }

  /** A path to create, and whether a suffix leaves it below the play's znode. */
  forCreate(): { readonly path: string; readonly mayBeSequential: boolean } {
    // Beyond 16 bits: refused, and echoed nowhere, since Apache writes such a character as two of three bytes.
    const path = chance(this.#random, 0.003) ? "~/😀" : this.any();
    return { path, mayBeSequential: path.startsWith(`${ROOT}/`) };
  }
}

const world = (permissions: number): Acl => ({ permissions, scheme: "world", id: "anyone" });
const ip = (id: string): Acl => ({ permissions: Permission.ALL, scheme: "ip", id });
const digest = (permissions: number, user: string, password: string): Acl => ({
  permissions,
  scheme: "digest",
  id: digestId(user, password),
});
const ALL = Permission.ALL;
const OPEN = [world(ALL)];

/** Lists that are refused, or nearly. */
const INVALID_ACLS: readonly (readonly Acl[] | null)[] = [
  null,
  [],
  [{ permissions: ALL, scheme: "world", id: "someone" }],
  [world(ALL), { permissions: ALL, scheme: "world", id: "" }],
  [{ permissions: ALL, scheme: "digest", id: "nocolon" }],
  [{ permissions: ALL, scheme: "digest", id: "a:b:c" }],
  [{ permissions: ALL, scheme: "digest", id: ":" }],
  [{ permissions: ALL, scheme: "digest", id: "a:" }],
  // These two are not refused.
  [world(ALL), { permissions: ALL, scheme: "digest", id: ":b" }],
  [world(ALL), { permissions: ALL, scheme: "digest", id: "a:b:" }],
  [{ permissions: ALL, scheme: "digest", id: "" }],
  [{ permissions: ALL, scheme: "super", id: "" }],
  [{ permissions: ALL, scheme: "nonsense", id: "x" }],
  [{ permissions: ALL, scheme: "", id: "" }],
  [ip("300.0.0.1")],
  [ip("127.0.0.1/33")],
  [ip("127.0.0.1/-1")],
  [ip("127.0.0.1/x")],
  [ip("127.0.0")],
  [ip("")],
];

export class AclGenerator {
  readonly #random: Random;
  readonly #restrictsReading: boolean;

  constructor(random: Random, restrictsReading: boolean) {
    this.#random = random;
    this.#restrictsReading = restrictsReading;
  }

  /** Mostly valid lists; all of them grant READ unless the sequence may restrict it. */
  any(): readonly Acl[] | null {
    const random = this.#random;
    const permissions = randomInt(random, 32);
    if (chance(random, 0.06)) return pick(random, INVALID_ACLS);
    if (!this.#restrictsReading) {
      return pickWeighted<readonly Acl[]>(random, [
        [20, OPEN],
        [2, [world(permissions | Permission.READ)]],
        [1, [world(Permission.READ), digest(ALL, "u1", "p1"), world(Permission.READ)]],
      ]);
    }
    return pick<readonly Acl[]>(random, [
      OPEN,
      OPEN,
      OPEN,
      [world(permissions)],
      [world(permissions | Permission.READ)],
      [digest(ALL, "u1", "p1")],
      [digest(permissions, "u1", "p1"), digest(ALL, "u2", "p2")],
      [{ permissions: ALL, scheme: "auth", id: "" }],
      [{ permissions, scheme: "auth", id: "ignored" }, world(Permission.READ)],
      [ip("127.0.0.1")],
      [ip("127.0.0.1/8"), world(Permission.READ), ip("127.0.0.1/8")],
      [ip("10.0.0.0/8")],
      [ip("128.0.0.0/1")],
      [ip("1.2.3.4/0")],
      [world(64 | permissions)],
    ]);
  }
}
