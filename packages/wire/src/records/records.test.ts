// SPDX-License-Identifier: Apache-2.0
// Every record both ways: what is written reads back as it was, and hostile bytes give a WireFormatError.
import fc, { type Arbitrary } from "fast-check";
import { describe, expect, test } from "vitest";
import type { Acl } from "../acl.ts";
import { JuteReader } from "../jute/reader.ts";
import type { JuteRecord } from "../jute/record.ts";
import { JuteWriter } from "../jute/writer.ts";
import { OpCode } from "../op-code.ts";
import { Stat } from "../stat.ts";
import { WireFormatError } from "../wire-format-error.ts";
import { GetAclResponse, SetAclRequest } from "./acl-requests.ts";
import { AuthPacket, SaslToken, WhoAmIResponse } from "./auth.ts";
import { ConnectRequest, ConnectResponse } from "./connect.ts";
import { Create2Response, CreateRequest, CreateResponse, CreateTtlRequest } from "./create.ts";
import { CheckVersionRequest, DeleteRequest } from "./delete.ts";
import { GetChildren2Response, GetChildrenResponse } from "./get-children.ts";
import { GetDataResponse } from "./get-data.ts";
import { ReplyHeader, RequestHeader } from "./headers.ts";
import { type MultiOperation, MultiRequest, MultiResponse, type MultiResult } from "./multi.ts";
import { CountResponse, ErrorResponse, GetEphemeralsRequest, ReconfigRequest } from "./queries.ts";
import { PathRecord, ReadRequest } from "./read-request.ts";
import { SetDataRequest, StatResponse } from "./set-data.ts";
import { readTxn, type Txn, TxnHeader, writeTxn } from "./txn.ts";
import { AddWatchRequest, SetWatches, SetWatches2, WatcherEvent, WatchesRequest } from "./watches.ts";

/** One codec and how to make values for it. */
interface Case {
  readonly name: string;
  readonly record: JuteRecord<unknown>;
  readonly values: Arbitrary<unknown>;
}

function recordCase<T>(name: string, record: JuteRecord<T>, values: Arbitrary<T>): Case {
  return { name, record: record as JuteRecord<unknown>, values };
}

const int = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const safe = fc.maxSafeInteger();
// Well-formed text of any script, long enough to leave the writer's short-string path.
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.string({ unit: "binary-ascii", maxLength: 80 }),
);
const data = fc.option(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  { nil: null },
);
const acl: Arbitrary<Acl> = fc.record({ permissions: int, scheme: text, id: text });
const acls = fc.option(fc.array(acl, { maxLength: 4 }), { nil: null });
const texts = fc.array(text, { maxLength: 6 });
const bool = fc.boolean();
const stat: Arbitrary<Stat> = fc
  .record({
    czxid: long,
    mzxid: long,
    ctimeMs: safe,
    mtimeMs: safe,
    version: int,
    cversion: int,
    aversion: int,
    ephemeralOwner: long,
    dataLength: int,
    numChildren: int,
    pzxid: long,
  })
  .map((fields) => Stat.from(fields));
const create = { path: text, data, acl: acls, flags: int };
const typed = <T extends number, R extends object>(
  type: T,
  fields: Arbitrary<R>,
): Arbitrary<{ type: T } & R> => fields.map((value) => ({ type, ...value }));

const operation: Arbitrary<MultiOperation> = fc.oneof(
  ...([OpCode.create, OpCode.create2, OpCode.createContainer] as const).map((type) =>
    typed(type, fc.record(create)),
  ),
  typed(OpCode.createTTL, fc.record({ ...create, ttlMs: long })),
  ...([OpCode.delete, OpCode.check] as const).map((type) =>
    typed(type, fc.record({ path: text, version: int })),
  ),
  typed(OpCode.setData, fc.record({ path: text, data, version: int })),
  ...([OpCode.getData, OpCode.getChildren] as const).map((type) =>
    typed(type, fc.record({ path: text, watch: bool })),
  ),
);
const result: Arbitrary<MultiResult> = fc.oneof(
  typed(OpCode.create, fc.record({ path: text })),
  ...([OpCode.create2, OpCode.createContainer, OpCode.createTTL] as const).map((type) =>
    typed(type, fc.record({ path: text, stat })),
  ),
  ...([OpCode.delete, OpCode.check] as const).map((type) => typed(type, fc.record({}))),
  typed(OpCode.setData, fc.record({ stat })),
  typed(OpCode.getData, fc.record({ data, stat })),
  typed(OpCode.getChildren, fc.record({ children: texts })),
  typed(OpCode.error, fc.record({ err: int })),
);

const made = { path: text, data, acl: acls, parentCVersion: int };
const simpleTxn: Arbitrary<Txn> = fc.oneof(
  ...([OpCode.create, OpCode.create2] as const).map((type) =>
    typed(type, fc.record({ ...made, ephemeral: bool })),
  ),
  typed(OpCode.createContainer, fc.record(made)),
  typed(OpCode.createTTL, fc.record({ ...made, ttlMs: safe })),
  ...([OpCode.delete, OpCode.deleteContainer] as const).map((type) => typed(type, fc.record({ path: text }))),
  ...([OpCode.setData, OpCode.reconfig] as const).map((type) =>
    typed(type, fc.record({ path: text, data, version: int })),
  ),
  typed(OpCode.setACL, fc.record({ path: text, acl: acls, version: int })),
  typed(OpCode.check, fc.record({ path: text, version: int })),
  typed(OpCode.createSession, fc.record({ timeoutMs: int })),
  typed(OpCode.closeSession, fc.record({ paths: texts })),
  typed(OpCode.error, fc.record({ err: int })),
);
const txn = fc.oneof(
  simpleTxn,
  typed(OpCode.multi, fc.record({ txns: fc.array(simpleTxn, { maxLength: 4 }) })),
);
/** A transaction behind its type, as the header or a multi carries it. */
const TypedTxn: JuteRecord<Txn> = {
  write(writer, value) {
    writer.int(value.type);
    writeTxn(writer, value);
  },
  read: (reader) => readTxn(reader, reader.int()),
};

const watches = { relativeZxid: long, dataWatches: texts, existWatches: texts, childWatches: texts };
const session = { sessionId: long, password: data, readOnly: fc.option(bool, { nil: undefined }) };

const CASES: readonly Case[] = [
  recordCase("RequestHeader", RequestHeader, fc.record({ xid: int, type: int })),
  recordCase("ReplyHeader", ReplyHeader, fc.record({ xid: int, zxid: long, err: int })),
  recordCase(
    "ConnectRequest",
    ConnectRequest,
    fc.record({ protocolVersion: int, lastZxidSeen: long, timeoutMs: int, ...session }),
  ),
  recordCase(
    "ConnectResponse",
    ConnectResponse,
    fc.record({ protocolVersion: int, timeoutMs: int, ...session }),
  ),
  recordCase("CreateRequest", CreateRequest, fc.record(create)),
  recordCase("CreateTtlRequest", CreateTtlRequest, fc.record({ ...create, ttlMs: long })),
  recordCase("CreateResponse", CreateResponse, fc.record({ path: text })),
  recordCase("Create2Response", Create2Response, fc.record({ path: text, stat })),
  recordCase("DeleteRequest", DeleteRequest, fc.record({ path: text, version: int })),
  recordCase("CheckVersionRequest", CheckVersionRequest, fc.record({ path: text, version: int })),
  recordCase("ReadRequest", ReadRequest, fc.record({ path: text, watch: bool })),
  recordCase("PathRecord", PathRecord, fc.record({ path: text })),
  recordCase("GetDataResponse", GetDataResponse, fc.record({ data, stat })),
  recordCase("SetDataRequest", SetDataRequest, fc.record({ path: text, data, version: int })),
  recordCase("StatResponse", StatResponse, fc.record({ stat })),
  recordCase("GetAclResponse", GetAclResponse, fc.record({ acl: acls, stat })),
  recordCase("SetAclRequest", SetAclRequest, fc.record({ path: text, acl: acls, version: int })),
  recordCase("GetChildrenResponse", GetChildrenResponse, fc.record({ children: texts })),
  recordCase("GetChildren2Response", GetChildren2Response, fc.record({ children: texts, stat })),
  recordCase("AuthPacket", AuthPacket, fc.record({ type: int, scheme: text, auth: data })),
  recordCase("SaslToken", SaslToken, fc.record({ token: data })),
  recordCase(
    "WhoAmIResponse",
    WhoAmIResponse,
    fc.record({ clients: fc.array(fc.record({ scheme: text, user: text }), { maxLength: 3 }) }),
  ),
  recordCase(
    "GetEphemeralsRequest",
    GetEphemeralsRequest,
    fc.record({ prefixPath: fc.option(text, { nil: null }) }),
  ),
  recordCase("CountResponse", CountResponse, fc.record({ count: int })),
  recordCase("ErrorResponse", ErrorResponse, fc.record({ err: int })),
  recordCase(
    "ReconfigRequest",
    ReconfigRequest,
    fc.record({
      joiningServers: fc.option(text, { nil: null }),
      leavingServers: fc.option(text, { nil: null }),
      newMembers: fc.option(text, { nil: null }),
      curConfigId: long,
    }),
  ),
  recordCase("WatcherEvent", WatcherEvent, fc.record({ type: int, state: int, path: text })),
  recordCase("SetWatches", SetWatches, fc.record(watches)),
  recordCase(
    "SetWatches2",
    SetWatches2,
    fc.record({ ...watches, persistentWatches: texts, persistentRecursiveWatches: texts }),
  ),
  recordCase("AddWatchRequest", AddWatchRequest, fc.record({ path: text, mode: int })),
  recordCase("WatchesRequest", WatchesRequest, fc.record({ path: text, watcherType: int })),
  recordCase(
    "MultiRequest",
    MultiRequest,
    fc.record({ operations: fc.array<MultiOperation>(operation, { maxLength: 5 }) }),
  ),
  recordCase("MultiResponse", MultiResponse, fc.record({ results: fc.array(result, { maxLength: 5 }) })),
  recordCase(
    "TxnHeader",
    TxnHeader,
    fc.record({ clientId: long, cxid: int, zxid: safe, timeMs: safe, type: int }),
  ),
  recordCase("Txn", TypedTxn, txn),
];

function encode(record: JuteRecord<unknown>, value: unknown): Buffer {
  const writer = new JuteWriter(16);
  record.write(writer, value);
  return writer.take();
}

/** `Stat` keeps its longs as halves, so two are compared by what they show. */
function shown(value: unknown): unknown {
  if (value instanceof Stat) return value.toObject();
  if (Buffer.isBuffer(value) || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(shown);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, shown(field)]));
}

/** Reads as a peer would; true when the bytes were a whole record. */
function readsWell(record: JuteRecord<unknown>, bytes: Buffer): boolean {
  try {
    const reader = new JuteReader(bytes);
    record.read(reader);
    reader.expectEnd();
    return true;
  } catch (error) {
    if (error instanceof WireFormatError) return false;
    throw error;
  }
}

/** A closeSession of logs older than 3.6 is its type alone; it is written back with an empty list. */
const CLOSE_SESSION_WITHOUT_LIST = Buffer.from([0xff, 0xff, 0xff, 0xf5]);

describe.each(CASES)("$name", ({ record, values }) => {
  test("reads back what was written, to the last byte, and writes the same bytes again", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(record, value);
        const reader = new JuteReader(bytes);
        const read = record.read(reader);
        reader.expectEnd();
        expect(shown(read)).toEqual(shown(value));
        expect(encode(record, read)).toEqual(bytes);
      }),
      { numRuns: 60 },
    );
  });

  test("refuses every truncation and takes no other error out of it", () => {
    fc.assert(
      fc.property(values, fc.nat(), (value, cut) => {
        const bytes = encode(record, value);
        const kept = bytes.subarray(0, cut % bytes.length);
        if (!readsWell(record, kept)) return;
        // Optional trailing fields make a few prefixes whole records; they must then be read back alike.
        const again = encode(record, record.read(new JuteReader(kept)));
        expect(kept.equals(CLOSE_SESSION_WITHOUT_LIST) ? again.subarray(0, kept.length) : again).toEqual(
          kept,
        );
      }),
      { numRuns: 60 },
    );
  });

  test("gives a WireFormatError, never another error, for damaged and for random bytes", () => {
    fc.assert(
      fc.property(
        values,
        fc.nat(),
        fc.nat(255),
        fc.uint8Array({ maxLength: 120 }),
        (value, at, byte, noise) => {
          const bytes = encode(record, value);
          bytes[at % bytes.length] = byte;
          readsWell(record, bytes);
          readsWell(record, Buffer.from(noise));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("does not allocate by a declared length: every int set to the largest is refused cheaply", () => {
    const [value] = fc.sample(values, { numRuns: 1, seed: 7 });
    const bytes = encode(record, value);
    for (let at = 0; at + 4 <= bytes.length; at++) {
      for (const length of [0x7fff_ffff, 0x1000_0000, -2, -0x8000_0000]) {
        const damaged = Buffer.from(bytes);
        damaged.writeInt32BE(length, at);
        const before = process.memoryUsage();
        readsWell(record, damaged);
        const after = process.memoryUsage();
        const grownBytes = after.arrayBuffers - before.arrayBuffers + (after.heapUsed - before.heapUsed);
        expect(grownBytes).toBeLessThan(16 * 1024 * 1024);
      }
    }
  });
});

test("a multi inside a logged multi is refused, so that nesting cannot exhaust the stack", () => {
  const innermost: Txn = { type: OpCode.multi, txns: [] };
  const bytes = encode(TypedTxn, { type: OpCode.multi, txns: [innermost] } satisfies Txn);
  expect(readsWell(TypedTxn, bytes)).toBe(false);
});
