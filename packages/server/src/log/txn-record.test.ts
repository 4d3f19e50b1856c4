// SPDX-License-Identifier: Apache-2.0
import { type Acl, JuteReader, OPEN_ACL, OpCode, type Txn, TxnHeader } from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import { adler32 } from "./adler32.ts";
import { encodeRecord, readLoggedTxn } from "./txn-record.ts";

const acl: readonly Acl[] = [...OPEN_ACL, { permissions: 1, scheme: "ip", id: "10.0.0.0/8" }];
const data = Buffer.from("data");
const create = { path: "/a/ü", data, acl, parentCVersion: -2_000_000_000 };

const TXNS: readonly Txn[] = [
  { type: OpCode.create, ...create, ephemeral: true },
  { type: OpCode.create2, ...create, data: null, acl: null, ephemeral: false },
  { type: OpCode.createContainer, ...create },
  { type: OpCode.createTTL, ...create, ttlMs: 2 ** 40 - 1 },
  { type: OpCode.delete, path: "/a" },
  { type: OpCode.deleteContainer, path: "/a" },
  { type: OpCode.setData, path: "/", data: Buffer.alloc(0), version: 7 },
  { type: OpCode.reconfig, path: "/zookeeper/config", data, version: -1 },
  { type: OpCode.setACL, path: "/a", acl, version: 2 },
  { type: OpCode.createSession, timeoutMs: 4000 },
  { type: OpCode.closeSession, paths: [] },
  { type: OpCode.closeSession, paths: ["/a", "/b/c"] },
  { type: OpCode.error, err: -101 },
  {
    type: OpCode.multi,
    txns: [
      { type: OpCode.create, ...create, ephemeral: false },
      { type: OpCode.check, path: "/a", version: 3 },
      { type: OpCode.error, err: 0 },
    ],
  },
];

function headerOf(txn: Txn): TxnHeader {
  return {
    clientId: -0x7f00_0000_0000_0001n,
    cxid: -5,
    zxid: 0x1f_ffff_ffff_ffff,
    timeMs: 1_700_000_000_123,
    type: txn.type,
  };
}

/** Decodes a record, with `extra` bytes after the transaction. */
function decode(record: Buffer, extra: Buffer = Buffer.alloc(0)): { header: TxnHeader; txn: Txn } {
  const payload = Buffer.concat([record.subarray(12, -1), extra]);
  const reader = new JuteReader(payload);
  const header = TxnHeader.read(reader);
  return { header, txn: readLoggedTxn(reader, payload, header.type) };
}

describe("a record of the transaction log", () => {
  it("gives back every kind of transaction, with or without a digest behind it", () => {
    const digest = Buffer.from([0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (const txn of TXNS) {
      const record = encodeRecord(headerOf(txn), txn);
      expect(decode(record)).toEqual({ header: headerOf(txn), txn });
      expect(decode(record, digest)).toEqual({ header: headerOf(txn), txn });
    }
  });

  it("has its checksum, length and end mark where ZooKeeper looks for them", () => {
    const txn: Txn = { type: OpCode.delete, path: "/a" };
    const record = encodeRecord(headerOf(txn), txn);
    const length = 32 + 4 + 2;
    expect(record.length).toBe(12 + length + 1);
    expect(record.readBigInt64BE(0)).toBe(BigInt(adler32(record, 12, 12 + length)));
    expect(record.readInt32BE(8)).toBe(length);
    expect(record.at(-1)).toBe(0x42);
  });

  it("of a closed session without a list is not taken for a list made of its digest", () => {
    const txn: Txn = { type: OpCode.closeSession, paths: [] };
    const withoutList = encodeRecord(headerOf(txn), txn).subarray(0, -5);
    const digest = Buffer.from([0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 1]);
    expect(decode(Buffer.concat([withoutList, Buffer.from("B")]), digest).txn).toEqual(txn);
  });

  it("holds a create2 inside a multi as a create, which is all that ZooKeeper replays there", () => {
    const inner = { type: OpCode.create2, ...create, ephemeral: true } as const;
    const txn: Txn = { type: OpCode.multi, txns: [inner] };
    const stored = { type: OpCode.multi, txns: [{ ...inner, type: OpCode.create }] };
    expect(decode(encodeRecord(headerOf(txn), txn)).txn).toEqual(stored);
  });
});
