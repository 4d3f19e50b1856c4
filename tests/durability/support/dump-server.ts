// SPDX-License-Identifier: Apache-2.0
// The whole tree of a running server, as clients see it.
import { awaitCondition } from "@meerkat/testkit";
import {
  type Acl,
  GetAclResponse,
  GetChildrenResponse,
  GetDataResponse,
  JuteReader,
  JuteWriter,
  OpCode,
  PathRecord,
  ReadRequest,
  RequestHeader,
  type StatFields,
} from "@meerkat/wire";
import { RawClient } from "../../support/raw-client.ts";
import type { ModelTree } from "./model-tree.ts";

/** Paths asked for at a time. */
const BATCH_PATHS = 4000;

/** What clients see of a znode. */
export interface SeenZnode {
  readonly path: string;
  readonly data: string | null;
  readonly acl: readonly Acl[] | null;
  /** The `Stat` as text, its fields in order of their names. */
  readonly stat: string;
}

/** Reads all znodes; the reader must be allowed to. Sorted by path. */
export async function dumpServer(address: {
  readonly host: string;
  readonly port: number;
}): Promise<SeenZnode[]> {
  const client = await RawClient.connect(address, { timeoutMs: 40_000 });
  try {
    const found: SeenZnode[] = [];
    let level = ["/"];
    while (level.length > 0) {
      const next: string[] = [];
      for (let from = 0; from < level.length; from += BATCH_PATHS) {
        await readBatch(client, level.slice(from, from + BATCH_PATHS), found, next);
      }
      level = next;
    }
    return found.sort(byPath);
  } finally {
    await client.close();
  }
}

async function readBatch(
  client: RawClient,
  paths: readonly string[],
  found: SeenZnode[],
  children: string[],
): Promise<void> {
  const bodies = await askAll(client, paths, [OpCode.getData, OpCode.getACL]);
  const parents: string[] = [];
  for (const [index, path] of paths.entries()) {
    const { data, stat } = GetDataResponse.read(bodies[index * 2] as JuteReader);
    const { acl } = GetAclResponse.read(bodies[index * 2 + 1] as JuteReader);
    if (stat.numChildren > 0) parents.push(path);
    found.push({
      path,
      data: data === null ? null : data.toString("hex"),
      acl,
      stat: textOf(stat.toObject()),
    });
  }
  const lists = await askAll(client, parents, [OpCode.getChildren]);
  for (const [index, parent] of parents.entries()) {
    for (const name of GetChildrenResponse.read(lists[index] as JuteReader).children) {
      children.push(parent === "/" ? `/${name}` : `${parent}/${name}`);
    }
  }
}

/** Adds a framed request. */
export function writeRequest(
  writer: JuteWriter,
  xid: number,
  type: number,
  writeBody: (writer: JuteWriter) => void,
): void {
  const frame = writer.beginFrame();
  RequestHeader.write(writer, { xid, type });
  writeBody(writer);
  writer.endFrame(frame);
}

/** Sends one request of each type for each path; gives the bodies of the replies in that order. */
async function askAll(
  client: RawClient,
  paths: readonly string[],
  types: readonly number[],
): Promise<JuteReader[]> {
  client.received.length = 0;
  const requests = new JuteWriter(1024 * 1024);
  let xid = 0;
  for (const path of paths) {
    for (const type of types) {
      writeRequest(requests, ++xid, type, (writer) => {
        if (type === OpCode.getACL) PathRecord.write(writer, { path });
        else ReadRequest.write(writer, { path, watch: false });
      });
    }
  }
  client.sendBytes(requests.take());
  const count = paths.length * types.length;
  await awaitCondition(() => client.received.length === count || client.closed, {
    timeoutMs: 30_000,
    describe: `${count} replies`,
  });
  return Array.from({ length: count }, (_, index) => {
    const reply = client.received[index];
    if (reply === undefined || reply.header.err !== 0) {
      const path = paths[Math.floor(index / types.length)];
      throw new Error(`${path} cannot be read: ${reply?.header.err ?? "closed"}`);
    }
    return new JuteReader(reply.body);
  });
}

/** What clients must see of a state: cversion and owner are shown in another form than they are stored. */
export function seenOf(tree: ModelTree): SeenZnode[] {
  const childCounts = new Map<string, number>();
  for (const path of tree.znodes.keys()) {
    if (path === "") continue;
    const parent = path.slice(0, path.lastIndexOf("/"));
    childCounts.set(parent, (childCounts.get(parent) ?? 0) + 1);
  }
  const seen = [...tree.znodes.values()].map((znode): SeenZnode => {
    const numChildren = childCounts.get(znode.path) ?? 0;
    const stat: StatFields = {
      czxid: BigInt(znode.czxid),
      mzxid: BigInt(znode.mzxid),
      pzxid: BigInt(znode.pzxid),
      ctimeMs: znode.ctimeMs,
      mtimeMs: znode.mtimeMs,
      version: znode.version,
      cversion: (znode.cversion * 2 - numChildren) | 0,
      aversion: znode.aversion,
      // Marks of containers and times to live have the top bit, sessions of server 1 do not.
      ephemeralOwner: znode.ephemeralOwner < 0n ? 0n : znode.ephemeralOwner,
      dataLength: znode.data?.length ?? 0,
      numChildren,
    };
    return {
      path: znode.path === "" ? "/" : znode.path,
      data: znode.data === null ? null : Buffer.from(znode.data).toString("hex"),
      acl: znode.acl ?? [{ permissions: 31, scheme: "world", id: "anyone" }],
      stat: textOf(stat),
    };
  });
  return seen.sort(byPath);
}

function textOf(stat: StatFields): string {
  return Object.entries(stat)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(" ");
}

function byPath(a: SeenZnode, b: SeenZnode): number {
  return a.path < b.path ? -1 : 1;
}
