// SPDX-License-Identifier: Apache-2.0
// Random requests of every writing kind from several sessions, valid and not, to fill a server's files.
import { type Random, randomInt } from "@meerkat/runtime";
import {
  CreateFlag,
  CreateRequest,
  CreateTtlRequest,
  DeleteRequest,
  digestId,
  type JuteWriter,
  type MultiOperation,
  MultiRequest,
  OPEN_ACL,
  OpCode,
  READ_ONLY_ACL,
  SetAclRequest,
  SetDataRequest,
} from "@meerkat/wire";
import { RawClient } from "../../support/raw-client.ts";

const SESSION_TIMEOUT_MS = 40_000;
const NAMES = ["a", "b", "c", "ü", "seq-"];
const ACLS = [
  OPEN_ACL,
  OPEN_ACL,
  READ_ONLY_ACL,
  [
    { permissions: 31, scheme: "digest", id: digestId("ann", "secret") },
    { permissions: 31, scheme: "ip", id: "127.0.0.1" },
  ],
];

type Encoded = readonly [type: number, write: (writer: JuteWriter) => void];

/** Sends `count` requests and waits for each reply; gives the sessions that are still open. */
export async function playRequests(
  address: { readonly host: string; readonly port: number },
  random: Random,
  count: number,
): Promise<RawClient[]> {
  const connect = (): Promise<RawClient> => RawClient.connect(address, { timeoutMs: SESSION_TIMEOUT_MS });
  const clients = [await connect(), await connect(), await connect()];
  for (let index = 0; index < count; index++) {
    const at = randomInt(random, clients.length);
    if (index % 50 === 49) {
      await clients[at]?.close();
      clients[at] = await connect();
      continue;
    }
    const client = clients[at] as RawClient;
    const [type, write] = randomRequest(random);
    await client.reply(client.send(type, write));
    client.received.length = 0;
  }
  return clients;
}

function randomRequest(random: Random): Encoded {
  const kind = randomInt(random, 20);
  const path = randomPath(random);
  const version = randomInt(random, 3) - 1;
  if (kind < 9) return randomCreate(random, path);
  if (kind < 12) return [OpCode.delete, (writer) => DeleteRequest.write(writer, { path, version: -1 })];
  if (kind < 15) {
    return [
      OpCode.setData,
      (writer) => SetDataRequest.write(writer, { path, data: randomData(random), version }),
    ];
  }
  if (kind === 15) {
    return [
      OpCode.setACL,
      (writer) => SetAclRequest.write(writer, { path, acl: randomAcl(random), version: -1 }),
    ];
  }
  const operations = Array.from({ length: 1 + randomInt(random, 3) }, () => randomOperation(random));
  return [OpCode.multi, (writer) => MultiRequest.write(writer, { operations })];
}

function randomCreate(random: Random, path: string): Encoded {
  const request = { path, data: randomData(random), acl: randomAcl(random) };
  switch (randomInt(random, 6)) {
    case 0:
      return [
        OpCode.createContainer,
        (writer) => CreateRequest.write(writer, { ...request, flags: CreateFlag.container }),
      ];
    case 1:
      return [
        OpCode.createTTL,
        (writer) =>
          CreateTtlRequest.write(writer, { ...request, flags: CreateFlag.persistentTtl, ttlMs: 86_400_000n }),
      ];
    default: {
      const type = randomInt(random, 2) === 0 ? OpCode.create : OpCode.create2;
      return [type, (writer) => CreateRequest.write(writer, { ...request, flags: randomInt(random, 4) })];
    }
  }
}

function randomOperation(random: Random): MultiOperation {
  const path = randomPath(random);
  switch (randomInt(random, 4)) {
    case 0:
      return {
        type: OpCode.create,
        path,
        data: randomData(random),
        acl: OPEN_ACL,
        flags: randomInt(random, 4),
      };
    case 1:
      return { type: OpCode.delete, path, version: -1 };
    case 2:
      return { type: OpCode.setData, path, data: randomData(random), version: -1 };
    default:
      return { type: OpCode.check, path: "/", version: -1 };
  }
}

function randomPath(random: Random): string {
  let path = "";
  for (let depth = 1 + randomInt(random, 3); depth > 0; depth--) {
    path += `/${NAMES[randomInt(random, NAMES.length)]}`;
  }
  return path;
}

function randomData(random: Random): Uint8Array | null {
  const length = randomInt(random, 60);
  return length === 0 ? null : random.bytes(length - 1);
}

function randomAcl(random: Random): (typeof ACLS)[number] {
  return ACLS[randomInt(random, ACLS.length)] as (typeof ACLS)[number];
}
