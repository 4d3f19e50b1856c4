// SPDX-License-Identifier: Apache-2.0
// A large tree with everything that can be in one, written through a server.
import { awaitCondition } from "@meerkat/testkit";
import {
  type Acl,
  CreateFlag,
  CreateRequest,
  CreateTtlRequest,
  digestId,
  JuteWriter,
  OPEN_ACL,
  OpCode,
  Permission,
  SetAclRequest,
  SetDataRequest,
} from "@meerkat/wire";
import { RawClient } from "../../support/raw-client.ts";
import { writeRequest } from "./dump-server.ts";

/** Requests in flight on a connection. */
const WINDOW = 2000;
const SESSION_TIMEOUT_MS = 40_000;

/** Everybody may read all of it, so that the trees can be compared. */
const ACLS: readonly (readonly Acl[])[] = [
  OPEN_ACL,
  [
    { permissions: Permission.ALL, scheme: "digest", id: digestId("ann", "secret") },
    { permissions: Permission.READ, scheme: "world", id: "anyone" },
  ],
  [
    { permissions: Permission.READ, scheme: "world", id: "anyone" },
    { permissions: Permission.ALL, scheme: "ip", id: "127.0.0.0/8" },
  ],
];

/** A session with ephemerals; its connection is gone. */
export interface LeftSession {
  readonly id: bigint;
  readonly password: Buffer;
}

type Request = readonly [type: number, write: (writer: JuteWriter) => void];

/** Sends requests in order with many in flight; all must succeed. */
async function sendAll(client: RawClient, requests: Iterable<Request>): Promise<void> {
  const writer = new JuteWriter(1024 * 1024);
  let inFlight = 0;
  const settle = async (): Promise<void> => {
    client.received.length = 0;
    client.sendBytes(writer.take());
    await awaitCondition(() => client.received.length === inFlight || client.closed, { timeoutMs: 30_000 });
    const bad = client.received.find(({ header }) => header.err !== 0);
    if (bad !== undefined || client.closed)
      throw new Error(`a request failed: ${bad?.header.err ?? "closed"}`);
    inFlight = 0;
  };
  for (const [type, write] of requests) {
    writeRequest(writer, ++inFlight, type, write);
    if (inFlight === WINDOW) await settle();
  }
  await settle();
}

function create(
  type: number,
  path: string,
  data: Uint8Array | null,
  acl: readonly Acl[],
  flags: number,
): Request {
  return [type, (writer) => CreateRequest.write(writer, { path, data, acl, flags })];
}

/** `count` znodes below `/house`, a tenth of them changed after they were made. */
function* plainZnodes(count: number): Generator<Request> {
  yield create(OpCode.create, "/house", Buffer.from("of cards"), OPEN_ACL, CreateFlag.persistent);
  const rooms = Math.ceil(count / 1000);
  for (let room = 0; room < rooms; room++) {
    yield create(OpCode.create2, `/house/room-${room}`, null, OPEN_ACL, CreateFlag.persistent);
  }
  for (let index = 0; index < count; index++) {
    const acl = ACLS[index % ACLS.length] as readonly Acl[];
    const data = index % 50 === 0 ? null : Buffer.from(`thing ${index} `.repeat(1 + (index % 9)));
    const path = `/house/room-${index % rooms}/thing-`;
    const flag = index % 4 === 0 ? CreateFlag.persistentSequential : CreateFlag.persistent;
    const name = flag === CreateFlag.persistent ? `${path}${index}` : path;
    yield create(index % 2 === 0 ? OpCode.create : OpCode.create2, name, data, acl, flag);
    if (index % 10 === 3 && acl === OPEN_ACL) {
      const request = { path: name, data: Buffer.from([index & 0xff]), version: 0 };
      yield [OpCode.setData, (writer) => SetDataRequest.write(writer, request)];
      const other = ACLS[1] as readonly Acl[];
      yield [OpCode.setACL, (writer) => SetAclRequest.write(writer, { path: name, acl: other, version: 0 })];
    }
  }
  for (let index = 0; index < 100; index++) {
    const path = `/house/box-${index}`;
    yield create(OpCode.createContainer, path, Buffer.alloc(3), OPEN_ACL, CreateFlag.container);
    const ttl = { path: `/house/ice-${index}`, data: null, acl: OPEN_ACL, ttlMs: 86_400_000n };
    yield [
      OpCode.createTTL,
      (writer) => CreateTtlRequest.write(writer, { ...ttl, flags: CreateFlag.persistentTtl }),
    ];
  }
  yield create(OpCode.create, "/house/guests", null, OPEN_ACL, CreateFlag.persistent);
}

/** Fills a server with about `count` znodes; gives sessions that own ephemerals and are not connected. */
export async function fillTree(
  address: { readonly host: string; readonly port: number },
  count: number,
): Promise<LeftSession[]> {
  const writer = await RawClient.connect(address, { timeoutMs: SESSION_TIMEOUT_MS });
  await sendAll(writer, plainZnodes(count));
  await writer.close();
  const sessions: LeftSession[] = [];
  for (let guest = 0; guest < 10; guest++) {
    const client = await RawClient.connect(address, { timeoutMs: SESSION_TIMEOUT_MS });
    const flags = [CreateFlag.ephemeral, CreateFlag.ephemeralSequential];
    const creates = Array.from({ length: 20 }, (_, index) =>
      create(
        OpCode.create,
        `/house/guests/g-${guest}-${index}`,
        Buffer.from("hi"),
        OPEN_ACL,
        flags[index % 2] ?? 0,
      ),
    );
    await sendAll(client, creates);
    const { session } = client;
    sessions.push({ id: session?.sessionId ?? 0n, password: Buffer.from(session?.password ?? []) });
    client.destroy();
  }
  return sessions;
}
