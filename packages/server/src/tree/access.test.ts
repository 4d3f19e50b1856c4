// SPDX-License-Identifier: Apache-2.0
import { type Acl, OPEN_ACL } from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import { defaultAccessPolicy, type Identity, isAllowed, maskAcl, resolveAcl } from "./access.ts";
import { AclTable, BUILT_IN_ACL } from "./acl-table.ts";
import { addressMatches, isAddressPrefix } from "./ip-address.ts";

const bob: Identity = { scheme: "digest", id: "bob:hash" };

function allowed(list: readonly Acl[], permissions: number, identities: readonly Identity[]): boolean {
  const table = new AclTable();
  return isAllowed(defaultAccessPolicy, table.entry(table.acquire(list)), permissions, identities);
}

describe("isAllowed", () => {
  it("grants by world, by an equal id and by prefix of the address, bit by bit", () => {
    const list: Acl[] = [
      { permissions: 1, scheme: "world", id: "anyone" },
      { permissions: 2, scheme: "digest", id: "bob:hash" },
      { permissions: 4, scheme: "ip", id: "10.1.0.0/16" },
    ];
    expect(allowed(list, 1, [])).toBe(true);
    expect(allowed(list, 2, [])).toBe(false);
    expect(allowed(list, 2, [bob])).toBe(true);
    expect(allowed(list, 4, [{ scheme: "ip", id: "10.1.200.3" }])).toBe(true);
    expect(allowed(list, 4, [{ scheme: "ip", id: "10.2.0.1" }])).toBe(false);
    expect(allowed(list, 8, [bob])).toBe(false);
  });

  it("lets super do everything, even where nobody may do anything", () => {
    const none: Acl[] = [{ permissions: 0, scheme: "world", id: "anyone" }];
    expect(allowed(none, 31, [bob])).toBe(false);
    expect(allowed(none, 31, [{ scheme: "super", id: "" }])).toBe(true);
  });
});

describe("resolveAcl", () => {
  it("replaces auth by the proved identities, keeps its permissions and drops duplicates", () => {
    const auth: Acl = { permissions: 3, scheme: "auth", id: "" };
    const resolved = resolveAcl(defaultAccessPolicy, [auth, auth], [{ scheme: "ip", id: "::1" }, bob]);
    expect(resolved).toEqual([{ permissions: 3, scheme: "digest", id: "bob:hash" }]);
    expect(resolveAcl(defaultAccessPolicy, [auth], [{ scheme: "ip", id: "::1" }])).toBeUndefined();
  });

  it("refuses lists that are null, empty, of unknown schemes or with malformed ids", () => {
    const refused: (readonly Acl[] | null)[] = [null, []];
    for (const [scheme, id] of [
      ["world", "someone"],
      ["nope", "x"],
      ["digest", "bob"],
      ["digest", "a:b:c"],
      ["ip", "10.0.0.0/33"],
      ["super", ""],
      ["sasl", "bob"],
    ] as const) {
      refused.push([{ permissions: 31, scheme, id }]);
      refused.push([...OPEN_ACL, { permissions: 31, scheme, id }]);
    }
    for (const list of refused) expect(resolveAcl(defaultAccessPolicy, list, [bob])).toBeUndefined();
  });

  it("takes a digest id apart as Java does: colons at its end count for nothing", () => {
    for (const id of ["bob:hash", ":hash", "bob:hash:", "bob:hash::"]) {
      const list = [{ permissions: 31, scheme: "digest", id }];
      expect(resolveAcl(defaultAccessPolicy, list, []), id).toEqual(list);
    }
    for (const id of ["", ":", "bob:", "bob::hash"]) {
      const list = [{ permissions: 31, scheme: "digest", id }];
      expect(resolveAcl(defaultAccessPolicy, list, []), id).toBeUndefined();
    }
  });

  it("shows digests without their hash to those who may not administer", () => {
    expect(maskAcl([{ permissions: 1, scheme: "digest", id: "bob:hash" }])[0]?.id).toBe("bob:x");
  });
});

describe("AclTable", () => {
  it("gives equal lists one number and forgets a list that nobody holds", () => {
    const table = new AclTable();
    const list: Acl[] = [{ permissions: 1, scheme: "ip", id: "1.2.3.4" }];
    const number = table.acquire(list);
    expect(table.acquire([...list])).toBe(number);
    expect(table.acquire(OPEN_ACL)).not.toBe(number);
    expect(table.acquire(null)).toBe(BUILT_IN_ACL);
    table.release(number);
    expect(table.list(number)).toEqual(list);
    table.release(number);
    expect(table.size).toBe(2);
    table.release(table.acquire(OPEN_ACL));
    expect(table.list(table.acquire(OPEN_ACL))).toEqual(OPEN_ACL);
  });
});

describe("addresses", () => {
  it("match prefixes of IPv4 and IPv6, an IPv4 address inside IPv6 as IPv4", () => {
    expect(addressMatches("127.0.0.1", "127.0.0.1")).toBe(true);
    expect(addressMatches("::ffff:127.0.0.1", "127.0.0.0/8")).toBe(true);
    expect(addressMatches("2001:db8::1", "2001:db8::/32")).toBe(true);
    expect(addressMatches("2001:db9::1", "2001:db8::/32")).toBe(false);
    expect(addressMatches("10.0.0.1", "0.0.0.0/0")).toBe(true);
    expect(addressMatches("10.0.0.1", "::/0")).toBe(false);
    for (const text of ["1.2.3", "1.2.3.256", "1.2.3.4/", "::1::", "1:2:3:4:5:6:7", "g::", "1.2.3.4/8/9"]) {
      expect(isAddressPrefix(text), text).toBe(false);
    }
  });
});
