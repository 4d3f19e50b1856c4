// SPDX-License-Identifier: Apache-2.0
// From the frames of a server to what can be compared between two servers: zxids become distances from the
// start of the play, session ids the connections that made them, clocks go, lists without an order are sorted.
import {
  type Acl,
  GetAclResponse,
  GetDataResponse,
  type JuteReader,
  OpCode,
  type Stat,
  StatRecord,
  WatcherEvent,
  WhoAmIResponse,
} from "@meerkat/wire";
import type { Origin } from "./encode.ts";
import type { Request } from "./sequence.ts";

/** Any value that JSON holds, with which observations are compared and printed. */
export type Comparable =
  | null
  | string
  | number
  | boolean
  | readonly Comparable[]
  | { readonly [name: string]: Comparable };

/** One thing that a connection saw. */
export type Observation =
  | {
      readonly kind: "reply";
      readonly xid: number;
      readonly zxid: Comparable;
      readonly err: number;
      readonly body: Comparable;
      /** What it answers; not compared, the servers were sent the same. */
      readonly request: Request;
    }
  | { readonly kind: "event"; readonly type: number; readonly state: number; readonly path: string }
  /** The answer to the ping behind every step. */
  | { readonly kind: "pong"; readonly err: number; readonly zxid: Comparable }
  | { readonly kind: "session"; readonly answer: Comparable }
  | { readonly kind: "closed" }
  /** No answer in a long time. */
  | { readonly kind: "silent" };

/** What numbers of one server mean in this play. */
export interface Meaning {
  readonly origin: Origin;
  /** Which connection made a session. */
  readonly sessions: ReadonlyMap<bigint, number>;
}

/** A zxid as a distance; all those before the play's start are alike, since servers may have lived longer. */
export function relativeZxid(zxid: bigint, { origin }: Meaning): Comparable {
  if (zxid <= 0n) return Number(zxid);
  return zxid <= origin.zxid ? "before" : `+${zxid - origin.zxid}`;
}

function text(value: string | null, { origin }: Meaning): string | null {
  return value === null ? null : value.replaceAll(origin.root, "~");
}

function statOf(stat: Stat, meaning: Meaning): Comparable {
  const { sessions } = meaning;
  const owner = stat.ephemeralOwner;
  return {
    czxid: relativeZxid(stat.czxid, meaning),
    mzxid: relativeZxid(stat.mzxid, meaning),
    pzxid: relativeZxid(stat.pzxid, meaning),
    version: stat.version,
    cversion: stat.cversion,
    aversion: stat.aversion,
    owner: owner === 0n ? null : `session of ${sessions.get(owner) ?? `nobody: ${owner}`}`,
    dataLength: stat.dataLength,
    numChildren: stat.numChildren,
    // Clocks differ, but both are clocks: a time is neither missing nor in other units.
    ctimeIsSet: stat.ctimeMs > 1.6e12,
    mtimeIsSet: stat.mtimeMs > 1.6e12,
  };
}

function stringsOf(reader: JuteReader, meaning: Meaning): Comparable {
  const items = reader.vector(4, (item) => text(item.ustring(), meaning));
  return items === null ? null : items.sort();
}

function dataOf(data: Buffer | null): Comparable {
  return data === null ? null : data.toString("latin1");
}

/** What stands for `auth` has no order: neighbours of the digest scheme with one permission are sorted. */
function inOneOrder(list: readonly Acl[]): Comparable {
  const run = (index: number): number => {
    const { scheme, permissions } = list[index] as Acl;
    const isSame = (entry: Acl | undefined): boolean =>
      scheme === "digest" && entry?.scheme === scheme && entry.permissions === permissions;
    let start = index;
    while (isSame(list[start - 1])) start--;
    return start;
  };
  const keyed = list.map((entry, index) => ({ entry, start: run(index) }));
  keyed.sort((a, b) => a.start - b.start || (a.entry.id < b.entry.id ? -1 : 1));
  return keyed.map(({ entry }) => ({ ...entry }));
}

function resultsOf(reader: JuteReader, meaning: Meaning): Comparable {
  const results: Comparable[] = [];
  for (;;) {
    const type = reader.int();
    const done = reader.bool();
    const err = reader.int();
    if (done) {
      results.push({ type, done, err });
      return results;
    }
    results.push({ type, err, result: resultOf(type, reader, meaning) });
  }
}

function resultOf(type: number, reader: JuteReader, meaning: Meaning): Comparable {
  if (type === OpCode.error) return reader.int();
  if (type === OpCode.delete || type === OpCode.check) return null;
  return bodyOf(type, reader, meaning);
}

/** The body of a good reply to an operation. */
function bodyOf(type: number, reader: JuteReader, meaning: Meaning): Comparable {
  switch (type) {
    case OpCode.create:
    case OpCode.sync:
      return { path: text(reader.ustring(), meaning) };
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return { path: text(reader.ustring(), meaning), stat: statOf(StatRecord.read(reader), meaning) };
    case OpCode.exists:
    case OpCode.setData:
    case OpCode.setACL:
      return statOf(StatRecord.read(reader), meaning);
    case OpCode.getData: {
      const { data, stat } = GetDataResponse.read(reader);
      return { data: dataOf(data), stat: statOf(stat, meaning) };
    }
    case OpCode.getACL: {
      const { acl, stat } = GetAclResponse.read(reader);
      return { acl: acl === null ? null : inOneOrder(acl), stat: statOf(stat, meaning) };
    }
    case OpCode.getChildren:
    case OpCode.getEphemerals:
      return stringsOf(reader, meaning);
    case OpCode.getChildren2:
      return { children: stringsOf(reader, meaning), stat: statOf(StatRecord.read(reader), meaning) };
    case OpCode.getAllChildrenNumber:
    case OpCode.addWatch:
      return reader.int();
    case OpCode.whoAmI:
      return WhoAmIResponse.read(reader)
        .clients.map(({ scheme, user }) => `${scheme} ${user}`)
        .sort();
    case OpCode.multi:
    case OpCode.multiRead:
      return resultsOf(reader, meaning);
    default:
      return null;
  }
}

/** What follows a reply's header, with anything that is too much or cannot be read as hex. */
export function observeBody(type: number, reader: JuteReader, bytes: Buffer, meaning: Meaning): Comparable {
  const hexFrom = (position: number): string => bytes.subarray(position).toString("hex");
  const start = reader.position;
  try {
    const body = reader.remaining === 0 ? null : bodyOf(type, reader, meaning);
    return reader.remaining === 0 ? body : { body, rest: hexFrom(reader.position) };
  } catch {
    return { unreadable: hexFrom(start) };
  }
}

/** A notification. The zxid in its header is left out: the servers differ in it (docs/compatibility.md). */
export function observeEvent(reader: JuteReader, meaning: Meaning): Observation {
  const { type, state, path } = WatcherEvent.read(reader);
  return { kind: "event", type, state, path: text(path, meaning) ?? "" };
}
