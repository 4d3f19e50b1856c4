// SPDX-License-Identifier: Apache-2.0
import { JuteReader } from "./jute/reader.ts";
import type { JuteRecord } from "./jute/record.ts";
import { JuteWriter } from "./jute/writer.ts";

/** The fields of a `Stat`, as given to `Stat.from`. */
export interface StatFields {
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly ctimeMs: number;
  readonly mtimeMs: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
  readonly pzxid: bigint;
}

function join(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

function joinNumber(high: number, low: number): number {
  return high * 0x1_0000_0000 + (low >>> 0);
}

/** Names of the getters, for printing and comparing. */
const FIELD_NAMES = [
  "czxid",
  "mzxid",
  "ctimeMs",
  "mtimeMs",
  "version",
  "cversion",
  "aversion",
  "ephemeralOwner",
  "dataLength",
  "numChildren",
  "pzxid",
] as const satisfies readonly (keyof StatFields)[];

/**
 * State of a znode. Immutable. The 64-bit fields are kept as halves and become `bigint` only when read,
 * since making a bigint costs more than the rest of decoding a reply (`bench client`).
 */
export class Stat implements StatFields {
  /** Version of the data: counts `setData`. */
  readonly version: number;
  /** Version of the children: counts creates and deletes of children. */
  readonly cversion: number;
  /** Version of the ACL: counts `setACL`. */
  readonly aversion: number;
  /** Length of the data in bytes. */
  readonly dataLength: number;
  /** Number of children. */
  readonly numChildren: number;
  private readonly czxidHigh: number;
  private readonly czxidLow: number;
  private readonly mzxidHigh: number;
  private readonly mzxidLow: number;
  private readonly ctimeHigh: number;
  private readonly ctimeLow: number;
  private readonly mtimeHigh: number;
  private readonly mtimeLow: number;
  private readonly ownerHigh: number;
  private readonly ownerLow: number;
  private readonly pzxidHigh: number;
  private readonly pzxidLow: number;

  /** Reads the record's 68 bytes. */
  constructor(reader: JuteReader) {
    this.czxidHigh = reader.int();
    this.czxidLow = reader.int();
    this.mzxidHigh = reader.int();
    this.mzxidLow = reader.int();
    this.ctimeHigh = reader.int();
    this.ctimeLow = reader.int();
    this.mtimeHigh = reader.int();
    this.mtimeLow = reader.int();
    this.version = reader.int();
    this.cversion = reader.int();
    this.aversion = reader.int();
    this.ownerHigh = reader.int();
    this.ownerLow = reader.int();
    this.dataLength = reader.int();
    this.numChildren = reader.int();
    this.pzxidHigh = reader.int();
    this.pzxidLow = reader.int();
  }

  /** A `Stat` with the given fields. */
  static from(fields: StatFields): Stat {
    const writer = new JuteWriter(128);
    StatRecord.write(writer, fields);
    return new Stat(new JuteReader(writer.take()));
  }

  /** zxid of the transaction that created the znode: unique to this life of it. */
  get czxid(): bigint {
    return join(this.czxidHigh, this.czxidLow);
  }
  /** zxid of the last change of the data. */
  get mzxid(): bigint {
    return join(this.mzxidHigh, this.mzxidLow);
  }
  /** zxid of the last create or delete of a child. */
  get pzxid(): bigint {
    return join(this.pzxidHigh, this.pzxidLow);
  }
  /** Time of creation, ms since 1970 by the server's clock. */
  get ctimeMs(): number {
    return joinNumber(this.ctimeHigh, this.ctimeLow);
  }
  /** Time of the last change of the data, ms since 1970 by the server's clock. */
  get mtimeMs(): number {
    return joinNumber(this.mtimeHigh, this.mtimeLow);
  }
  /** Session that owns an ephemeral znode; 0n for others. */
  get ephemeralOwner(): bigint {
    return join(this.ownerHigh, this.ownerLow);
  }

  /** All fields as a plain object (bigints stay bigints). */
  toObject(): StatFields {
    return Object.fromEntries(FIELD_NAMES.map((name) => [name, this[name]])) as unknown as StatFields;
  }

  /** For `JSON.stringify`: bigints become decimal strings. */
  toJSON(): Record<keyof StatFields, number | string> {
    return Object.fromEntries(
      FIELD_NAMES.map((name) => {
        const value = this[name];
        return [name, typeof value === "bigint" ? value.toString() : value];
      }),
    ) as Record<keyof StatFields, number | string>;
  }
}

/**
 * Stat => czxid mzxid ctime mtime version cversion aversion ephemeralOwner dataLength numChildren pzxid
 * (long ×4, int ×3, long, int ×2, long: 68 bytes)
 */
export const StatRecord: {
  write(writer: JuteWriter, stat: StatFields): void;
  read(reader: JuteReader): Stat;
} & JuteRecord<Stat> = {
  write(writer, stat) {
    writer.long(stat.czxid);
    writer.long(stat.mzxid);
    writer.long(BigInt(stat.ctimeMs));
    writer.long(BigInt(stat.mtimeMs));
    writer.int(stat.version);
    writer.int(stat.cversion);
    writer.int(stat.aversion);
    writer.long(stat.ephemeralOwner);
    writer.int(stat.dataLength);
    writer.int(stat.numChildren);
    writer.long(stat.pzxid);
  },
  read: (reader) => new Stat(reader),
};
