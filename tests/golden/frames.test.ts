// SPDX-License-Identifier: Apache-2.0
// The codec against frames of Apache ZooKeeper, recorded by tools/capture-golden.mjs: every byte must be
// understood, and encoding what was understood must give the same bytes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  AddWatchRequest,
  AuthPacket,
  ConnectRequest,
  ConnectResponse,
  CountResponse,
  Create2Response,
  CreateRequest,
  CreateResponse,
  CreateTtlRequest,
  DeleteRequest,
  ErrorResponse,
  errorCodeName,
  GetAclResponse,
  GetChildren2Response,
  GetChildrenResponse,
  GetDataResponse,
  GetEphemeralsRequest,
  JuteReader,
  type JuteRecord,
  JuteWriter,
  MultiRequest,
  MultiResponse,
  OpCode,
  opCodeName,
  PathRecord,
  ReadRequest,
  ReconfigRequest,
  ReplyHeader,
  RequestHeader,
  readTxn,
  SetAclRequest,
  SetDataRequest,
  SetWatches,
  SetWatches2,
  StatResponse,
  TxnHeader,
  WatcherEvent,
  WatchesRequest,
  WhoAmIResponse,
  writeTxn,
  Xid,
} from "@meerkat/wire";
import { describe, expect, test } from "vitest";

interface Frame {
  readonly connection: number;
  readonly to: "server" | "client";
  readonly hex: string;
}

function load<T>(name: string): readonly T[] {
  const text = readFileSync(join(import.meta.dirname, "frames", `${name}.json`), "utf8");
  return (JSON.parse(text) as { frames: T[] }).frames;
}

/** Request and reply body of an operation; undefined where there is none. */
type Bodies = readonly [request: JuteRecord<never> | undefined, reply: JuteRecord<never> | undefined];
const bodies = <A, B>(request: JuteRecord<A> | undefined, reply: JuteRecord<B> | undefined): Bodies => [
  request as JuteRecord<never> | undefined,
  reply as JuteRecord<never> | undefined,
];

const OPERATIONS: ReadonlyMap<number, Bodies> = new Map([
  [OpCode.create, bodies(CreateRequest, CreateResponse)],
  [OpCode.create2, bodies(CreateRequest, Create2Response)],
  [OpCode.createContainer, bodies(CreateRequest, Create2Response)],
  [OpCode.createTTL, bodies(CreateTtlRequest, Create2Response)],
  [OpCode.delete, bodies(DeleteRequest, undefined)],
  [OpCode.exists, bodies(ReadRequest, StatResponse)],
  [OpCode.getData, bodies(ReadRequest, GetDataResponse)],
  [OpCode.setData, bodies(SetDataRequest, StatResponse)],
  [OpCode.getACL, bodies(PathRecord, GetAclResponse)],
  [OpCode.setACL, bodies(SetAclRequest, StatResponse)],
  [OpCode.getChildren, bodies(ReadRequest, GetChildrenResponse)],
  [OpCode.getChildren2, bodies(ReadRequest, GetChildren2Response)],
  [OpCode.sync, bodies(PathRecord, PathRecord)],
  [OpCode.ping, bodies(undefined, undefined)],
  [OpCode.multi, bodies(MultiRequest, MultiResponse)],
  [OpCode.multiRead, bodies(MultiRequest, MultiResponse)],
  [OpCode.reconfig, bodies(ReconfigRequest, GetDataResponse)],
  [OpCode.checkWatches, bodies(WatchesRequest, undefined)],
  [OpCode.removeWatches, bodies(WatchesRequest, undefined)],
  [OpCode.auth, bodies(AuthPacket, undefined)],
  [OpCode.setWatches, bodies(SetWatches, undefined)],
  [OpCode.setWatches2, bodies(SetWatches2, undefined)],
  [OpCode.getEphemerals, bodies(GetEphemeralsRequest, GetChildrenResponse)],
  [OpCode.getAllChildrenNumber, bodies(PathRecord, CountResponse)],
  [OpCode.addWatch, bodies(AddWatchRequest, ErrorResponse)],
  [OpCode.whoAmI, bodies(undefined, WhoAmIResponse)],
  [OpCode.closeSession, bodies(undefined, undefined)],
]);

/** What one frame says, as far as a transcript needs it. */
interface Entry {
  readonly kind: "connect" | "session" | "request" | "reply" | "event";
  readonly operation: string;
  /** Name of the reply's error code. */
  readonly error?: string | undefined;
  readonly body: unknown;
}

/** Decodes the frames of a conversation one after the other and checks that each encodes to itself again. */
class Listener {
  readonly entries: Entry[] = [];
  readonly #pending = new Map<string, number>();
  readonly #greeted = new Set<string>();

  hear(frame: Frame): void {
    const bytes = Buffer.from(frame.hex, "hex");
    const reader = new JuteReader(bytes);
    const writer = new JuteWriter();
    this.entries.push(this.#entry(frame, reader, writer));
    reader.expectEnd();
    expect(writer.take().toString("hex")).toBe(frame.hex);
  }

  #entry({ connection, to }: Frame, reader: JuteReader, writer: JuteWriter): Entry {
    const greeting = `${connection} ${to}`;
    if (!this.#greeted.has(greeting)) {
      this.#greeted.add(greeting);
      return to === "server"
        ? { kind: "connect", operation: "connect", body: both(ConnectRequest, reader, writer) }
        : { kind: "session", operation: "connect", body: both(ConnectResponse, reader, writer) };
    }
    if (to === "server") {
      const { xid, type } = both(RequestHeader, reader, writer);
      this.#pending.set(`${connection} ${xid}`, type);
      return {
        kind: "request",
        operation: opCodeName(type),
        body: optional(operation(type)[0], reader, writer),
      };
    }
    const { xid, err } = both(ReplyHeader, reader, writer);
    if (xid === Xid.notification) {
      return { kind: "event", operation: "event", body: both(WatcherEvent, reader, writer) };
    }
    const type = this.#pending.get(`${connection} ${xid}`);
    if (type === undefined) throw new Error(`reply to xid ${xid}, which was never sent`);
    const body = err === 0 ? optional(operation(type)[1], reader, writer) : undefined;
    return { kind: "reply", operation: opCodeName(type), error: errorCodeName(err), body };
  }
}

function operation(type: number): Bodies {
  const known = OPERATIONS.get(type);
  if (known === undefined) throw new Error(`no codec for ${opCodeName(type)}`);
  return known;
}

function both<T>(record: JuteRecord<T>, reader: JuteReader, writer: JuteWriter): T {
  const value = record.read(reader);
  record.write(writer, value);
  return value;
}

function optional(record: JuteRecord<never> | undefined, reader: JuteReader, writer: JuteWriter): unknown {
  return record === undefined ? undefined : both(record, reader, writer);
}

function transcript(name: string): readonly Entry[] {
  const listener = new Listener();
  for (const frame of load<Frame>(name)) listener.hear(frame);
  return listener.entries;
}

/** The fields of every body of a kind, in order. */
function bodiesOf(
  entries: readonly Entry[],
  kind: Entry["kind"],
  operationName?: string,
): Record<string, unknown>[] {
  return entries
    .filter(
      (entry) => entry.kind === kind && (operationName === undefined || entry.operation === operationName),
    )
    .map((entry) => entry.body as Record<string, unknown>);
}

describe("frames of Apache ZooKeeper", () => {
  test.each(["connect", "create", "readAndWrite", "errors", "auth", "watches", "multi", "kazoo"])(
    "the conversation %s decodes and encodes to the same bytes",
    (name) => {
      const entries = transcript(name);
      expect(entries.length).toBeGreaterThan(10);
      expect(new Set(entries.map((entry) => entry.kind)).has("session")).toBe(true);
    },
  );

  test("a session is given, resumed, and refused with a timeout of 0", () => {
    const sessions = bodiesOf(transcript("connect"), "session");
    expect(sessions.map((session) => session["timeoutMs"])).toEqual([10_000, 10_000, 10_000, 0, 0]);
    expect(sessions.map((session) => session["readOnly"])).toEqual([false, undefined, false, false, false]);
    expect(sessions[2]?.["sessionId"]).toBe(sessions[0]?.["sessionId"]);
    expect(sessions[3]?.["sessionId"]).toBe(0n);
  });

  test("created paths carry the parent's create count in ten digits", () => {
    const paths = transcript("create")
      .filter((entry) => entry.kind === "reply" && entry.operation.startsWith("create"))
      .map((entry) => (entry.body as { path: string }).path);
    expect(paths).toEqual([
      "/create",
      "/create/old-0-",
      "/create/new-0-",
      "/create/old-1-",
      "/create/new-1-",
      "/create/old-2-0000000004",
      "/create/new-2-0000000005",
      "/create/old-3-0000000006",
      "/create/new-3-0000000007",
      "/create/container",
      "/create/ttl-5-",
      "/create/ttl-6-0000000010",
      "/create/null",
      "/create/empty",
      "/create/ünïcödé €",
    ]);
  });

  test("data that was set to null reads back as null, with a length of 0", () => {
    const reads = bodiesOf(transcript("readAndWrite"), "reply", "getData");
    expect(reads.map(({ data }) => (data === null ? null : String(data)))).toEqual(["data", "", null]);
    expect(reads[2]?.["stat"]).toMatchObject({ version: 2, dataLength: 0, numChildren: 1 });
  });

  test("errors come by the names of the table, and without a body", () => {
    const replies = transcript("errors").filter((entry) => entry.kind === "reply");
    expect(replies.map((entry) => entry.error)).toEqual([
      "OK",
      "OK",
      "NODE_EXISTS",
      "NO_NODE",
      "NO_CHILDREN_FOR_EPHEMERALS",
      "INVALID_ACL",
      "BAD_ARGUMENTS",
      "BAD_ARGUMENTS",
      "NO_NODE",
      "NO_NODE",
      "BAD_VERSION",
      "NOT_EMPTY",
      "BAD_VERSION",
      "RECONFIG_DISABLED",
      "OK",
    ]);
  });

  test("an identity is added, shown, put into the ACL, and a stranger is refused", () => {
    const entries = transcript("auth");
    expect(entries.filter((entry) => entry.kind === "reply").map((entry) => entry.error)).toEqual([
      ...["OK", "OK", "OK", "OK", "NO_AUTH", "AUTH_FAILED", "OK"],
    ]);
    expect(bodiesOf(entries, "reply", "getACL")[0]?.["acl"]).toEqual([
      { permissions: 31, scheme: "digest", id: "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=" },
    ]);
  });

  test("events tell what happened where", () => {
    const events = bodiesOf(transcript("watches"), "event").map(({ type, state, path }) => [
      type,
      state,
      path,
    ]);
    expect(events).toContainEqual([1, 3, "/watches/later"]);
    expect(events).toContainEqual([3, 3, "/watches"]);
    expect(events).toContainEqual([4, 3, "/watches"]);
    expect(events).toContainEqual([2, 3, "/gone"]);
    expect(events).toContainEqual([2, 3, "/watches/later/still"]);
  });

  test("a multi answers create2 as create, and a failed one with the code of each operation", () => {
    const multis = bodiesOf(transcript("multi"), "reply", "multi").map(
      ({ results }) => results as { type: number; err?: number }[],
    );
    expect(multis[0]?.map(({ type }) => type)).toEqual([1, 1, 15, 15, 5, 13, 2]);
    expect(multis[1]?.map(({ err }) => err)).toEqual([0, -103, -2]);
    expect(multis[2]).toEqual([]);
  });
});

describe("the transaction log of Apache ZooKeeper", () => {
  test("every transaction decodes and encodes to the same bytes", () => {
    const types = new Set<number>();
    for (const { hex } of load<{ hex: string }>("transactions")) {
      const reader = new JuteReader(Buffer.from(hex, "hex"));
      const writer = new JuteWriter();
      const header = both(TxnHeader, reader, writer);
      const txn = readTxn(reader, header.type);
      writeTxn(writer, txn);
      types.add(txn.type);
      // Since 3.6 a digest of the tree follows what changes the tree: version:int treeDigest:long.
      const digestBytes = reader.remaining;
      expect(digestBytes).toBe(header.type === OpCode.error ? 0 : 12);
      expect(writer.take().toString("hex")).toBe(hex.slice(0, hex.length - digestBytes * 2));
    }
    for (const type of [
      ...[OpCode.createSession, OpCode.closeSession, OpCode.create, OpCode.create2, OpCode.createContainer],
      ...[OpCode.createTTL, OpCode.delete, OpCode.setData, OpCode.setACL, OpCode.multi, OpCode.error],
    ]) {
      expect(types).toContain(type);
    }
  });
});
