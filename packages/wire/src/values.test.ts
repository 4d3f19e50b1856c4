// SPDX-License-Identifier: Apache-2.0
// Tables and value types: codes, ACLs, Stat.
import { describe, expect, test } from "vitest";
import { CREATOR_ALL_ACL, digestId, OPEN_ACL, READ_ONLY_ACL } from "./acl.ts";
import { ErrorCode, errorCodeName } from "./error-code.ts";
import { JuteReader } from "./jute/reader.ts";
import { JuteWriter } from "./jute/writer.ts";
import { OpCode, opCodeName } from "./op-code.ts";
import { Stat, StatRecord } from "./stat.ts";

describe("code tables", () => {
  test("every error code has its name, and an unknown one has none", () => {
    for (const [name, code] of Object.entries(ErrorCode)) expect(errorCodeName(code)).toBe(name);
    expect(errorCodeName(-99_999)).toBeUndefined();
  });

  test("every operation code has its name, and an unknown one shows its number", () => {
    for (const [name, code] of Object.entries(OpCode)) expect(opCodeName(code)).toBe(name);
    expect(opCodeName(999)).toBe("op 999");
  });
});

describe("ACLs", () => {
  test("a digest id is the user and the base64 of the SHA-1 of user:password", () => {
    // From ZooKeeper's documentation of DigestAuthenticationProvider: super:superpw.
    expect(digestId("super", "superpw")).toBe("super:g9oN2HttPfn8MMWJZ2r45Np/LIA=");
  });

  test("the ready-made lists say what their names say", () => {
    expect(OPEN_ACL).toEqual([{ permissions: 31, scheme: "world", id: "anyone" }]);
    expect(READ_ONLY_ACL).toEqual([{ permissions: 1, scheme: "world", id: "anyone" }]);
    expect(CREATOR_ALL_ACL).toEqual([{ permissions: 31, scheme: "auth", id: "" }]);
  });
});

describe("Stat", () => {
  const fields = {
    czxid: 0x1_0000_0002n,
    mzxid: 0x7fff_ffff_ffff_ffffn,
    ctimeMs: 1_700_000_000_123,
    mtimeMs: 1_700_000_000_456,
    version: 1,
    cversion: 2,
    aversion: 3,
    ephemeralOwner: -(2n ** 63n) + 5n,
    dataLength: 4,
    numChildren: 5,
    pzxid: 0xffff_ffffn,
  };

  test("takes 68 bytes and keeps every bit of its longs", () => {
    const writer = new JuteWriter();
    StatRecord.write(writer, fields);
    const bytes = writer.take();
    expect(bytes.length).toBe(68);
    expect(StatRecord.read(new JuteReader(bytes)).toObject()).toEqual(fields);
  });

  test("becomes JSON with its longs as decimal strings", () => {
    const json = JSON.parse(JSON.stringify(Stat.from(fields)));
    expect(json.mzxid).toBe("9223372036854775807");
    expect(json.ephemeralOwner).toBe("-9223372036854775803");
    expect(json.ctimeMs).toBe(1_700_000_000_123);
    expect(Object.keys(json)).toEqual(Object.keys(fields));
  });
});
