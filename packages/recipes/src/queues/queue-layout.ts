// SPDX-License-Identifier: Apache-2.0
// How queues lie in the tree: names, order and encoding of entries, as Kazoo and Curator have them.
import { InvalidArgumentError } from "@meerkat/runtime";
import { compareSequences } from "../sequence.ts";

/** Where an entry is to stand. */
export interface Placing {
  /** Lower goes first. */
  readonly priority: number;
  /** Not to be consumed before, ms since 1970. */
  readonly readyAtMs: number;
}

/** Where an entry stands. */
export interface QueueRank extends Placing {
  readonly sequence: number;
}

/** A layout. Make one with `kazooQueue`, `kazooLockingQueue` or `curatorQueue`. */
export interface QueueLayout {
  readonly entriesPath: string;
  /** Where consumers claim entries; undefined: they delete an entry before they have it. */
  readonly takenPath: string | undefined;
  /** Where this library keeps its witnesses. */
  readonly witnessPath: string;
  /** Which placings the names can say. */
  readonly ordering: "fifo" | "priority" | "delay";
  /** Priority of entries put without one. */
  readonly priority: number;
  /** The name before the sequence number. Throws `InvalidArgumentError`. */
  name(placing: Placing): string;
  /** Undefined for what is no entry of this layout. */
  rank(name: string): QueueRank | undefined;
  encode(payload: Uint8Array): Uint8Array;
  /** The payloads in one znode. Throws on what it is not. */
  decode(data: Buffer): Buffer[];
}

/** Orders entries; first come those to be consumed first. */
export function compareRanks(a: QueueRank, b: QueueRank): number {
  return a.readyAtMs - b.readyAtMs || a.priority - b.priority || compareSequences(a.sequence, b.sequence);
}

const KAZOO_PRIORITY = 100;
const KAZOO_NAME = /^entry-(\d{3})-(?<sequence>\d{10}|-\d{9,10})$/;

function kazooNames(): Pick<QueueLayout, "name" | "rank" | "priority" | "ordering" | "encode" | "decode"> {
  return {
    ordering: "priority",
    priority: KAZOO_PRIORITY,
    name({ priority }) {
      if (!Number.isInteger(priority) || priority < 0 || priority > 999) {
        throw new InvalidArgumentError(
          "priority",
          `priority must be a whole number from 0 to 999, got ${priority}`,
        );
      }
      return `entry-${String(priority).padStart(3, "0")}-`;
    },
    rank(name) {
      const match = KAZOO_NAME.exec(name);
      if (match === null) return undefined;
      const sequence = Number(match.groups?.["sequence"]) | 0;
      return { priority: Number(match[1]), readyAtMs: 0, sequence };
    },
    encode: (payload) => payload,
    decode: (data) => [data],
  };
}

/**
 * Kazoo's Queue: children `entry-PPP-` with a sequence number, P the priority from 0 (first) to 999, default
 * 100. A consumer deletes an entry and then has it, so an entry is lost when the consumer dies: prefer
 * `kazooLockingQueue`. Witnesses lie beside it, at `<path>-producers`.
 */
export function kazooQueue(path: string): QueueLayout {
  return { ...kazooNames(), entriesPath: path, takenPath: undefined, witnessPath: `${path}-producers` };
}

/**
 * Kazoo's LockingQueue: the same names under `<path>/entries`; a consumer claims an entry with an ephemeral
 * child of that name under `<path>/taken`, and deletes both in one step when it is done.
 */
export function kazooLockingQueue(path: string): QueueLayout {
  const takenPath = `${path}/taken`;
  return { ...kazooNames(), entriesPath: `${path}/entries`, takenPath, witnessPath: takenPath };
}

/** ItemSerializer of Curator: version, then a mark and a length before each item, then the end mark. */
const CURATOR_VERSION = 0x0001_0001;
const ITEM_MARK = 1;
const END_MARK = 2;

function curatorEncode(payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(4 + 1 + 4 + payload.length + 1);
  bytes.writeInt32BE(CURATOR_VERSION, 0);
  bytes.writeUInt8(ITEM_MARK, 4);
  bytes.writeInt32BE(payload.length, 5);
  bytes.set(payload, 9);
  bytes.writeUInt8(END_MARK, 9 + payload.length);
  return bytes;
}

function curatorDecode(data: Buffer): Buffer[] {
  const version = data.readInt32BE(0);
  if (version !== CURATOR_VERSION) throw new RangeError(`unknown version ${version} of a Curator queue item`);
  const payloads: Buffer[] = [];
  for (let at = 4; at < data.length; ) {
    const mark = data.readUInt8(at++);
    if (mark === END_MARK) return payloads;
    if (mark !== ITEM_MARK) throw new RangeError(`unknown mark ${mark} in a Curator queue item`);
    const length = data.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > data.length) throw new RangeError("a Curator queue item is cut off");
    payloads.push(data.subarray(at, at + length));
    at += length;
  }
  // Curator itself takes items without the end mark.
  return payloads;
}

const CURATOR_NAMES = {
  fifo: /^queue-(?<sequence>\d{10}|-\d{9,10})$/,
  priority: /^queue-([01])([0-9A-F]{8})(?<sequence>\d{10}|-\d{9,10})$/,
  delay: /^queue-\|([0-9A-F]+)\|(?<sequence>\d{10}|-\d{9,10})$/,
} as const;

function curatorName(ordering: QueueLayout["ordering"], { priority, readyAtMs }: Placing): string {
  if (ordering === "fifo") return "queue-";
  if (ordering === "priority") {
    if ((priority | 0) !== priority) {
      throw new InvalidArgumentError("priority", `priority must be a 32-bit integer, got ${priority}`);
    }
    const hex = (priority >>> 0).toString(16).toUpperCase().padStart(8, "0");
    return `queue-${priority >= 0 ? "1" : "0"}${hex}`;
  }
  if (!Number.isFinite(readyAtMs) || readyAtMs < 0) {
    throw new InvalidArgumentError("readyAtMs", `the time must be 0 or later, got ${readyAtMs}`);
  }
  return `queue-|${Math.ceil(readyAtMs).toString(16).toUpperCase().padStart(8, "0")}|`;
}

/** The `ordering` decides what is between `queue-` and the sequence number. */
function curatorRank(ordering: QueueLayout["ordering"], name: string): QueueRank | undefined {
  const match = CURATOR_NAMES[ordering].exec(name);
  if (match === null) return undefined;
  const sequence = Number(match.groups?.["sequence"]) | 0;
  if (ordering === "priority") {
    return { priority: Number.parseInt(match[2] ?? "0", 16) | 0, readyAtMs: 0, sequence };
  }
  const readyAtMs = ordering === "delay" ? Number.parseInt(match[1] ?? "0", 16) : 0;
  return { priority: 0, readyAtMs, sequence };
}

/** Options of `curatorQueue`. */
export interface CuratorQueueOptions {
  /**
   * Curator's `lockPath`: where consumers claim entries with an ephemeral of the entry's name. Default
   * `<path>-locks`; all consumers must use the same. False for none: entries are lost when a consumer dies.
   */
  readonly lockPath?: string | false | undefined;
  /** `fifo` for DistributedQueue (the default), `priority` or `delay` for the queues of that name. */
  readonly ordering?: "fifo" | "priority" | "delay" | undefined;
}

/**
 * Curator's queues: children `queue-` with a sequence number (DistributedQueue), between them a 1 or 0 for
 * the sign and eight hexadecimal digits (DistributedPriorityQueue), or `|` and the time in hexadecimal ms
 * and `|` (DistributedDelayQueue). Payloads are wrapped as Curator's ItemSerializer does.
 */
export function curatorQueue(path: string, options: CuratorQueueOptions = {}): QueueLayout {
  const { ordering = "fifo", lockPath = `${path}-locks` } = options;
  const takenPath = lockPath === false ? undefined : lockPath;
  return {
    entriesPath: path,
    takenPath,
    witnessPath: takenPath ?? `${path}-producers`,
    ordering,
    priority: 0,
    name: (placing) => curatorName(ordering, placing),
    rank: (name) => curatorRank(ordering, name),
    encode: curatorEncode,
    decode: curatorDecode,
  };
}
