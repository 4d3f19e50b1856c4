// SPDX-License-Identifier: Apache-2.0
// The records of znodes: what a znode is beside its place in the tree. A record lies in a slab as the wire
// wants it:
//
//   record => name:ustring data:buffer stat:Stat
//
// so a getData reply is one copy of `data stat`, an exists reply one of `stat`, and a list of children one of
// each child's `name`.
import type { JuteWriter } from "@meerkat/wire";
import { getInt, getLongNumber, putInt, putLongNumber } from "./big-endian.ts";
import { blockBytes, SlabStore } from "./slab-store.ts";
import { STAT_BYTES, StatOffset } from "./stat-layout.ts";

/** Copying fewer bytes than this by a loop beats the native call. */
const LOOP_COPY_BYTES_MAX = 80;

/** The fields of a new znode that are not links. */
export interface NewZnode {
  readonly data: Uint8Array | null;
  readonly czxid: number;
  readonly mzxid: number;
  readonly pzxid: number;
  readonly ctimeMs: number;
  readonly mtimeMs: number;
  readonly version: number;
  /** The persisted one: counts creates of children. */
  readonly cversion: number;
  readonly aversion: number;
  /** As clients are shown it: 0n for all but ephemerals. */
  readonly ephemeralOwner: bigint;
  /** Number in the ACL table. */
  readonly acl: number;
}

/** A longer column with the same values. */
export function grown(column: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(column);
  return larger;
}

/** Copies a few bytes between slabs and output. */
function copyBytes(source: Buffer, from: number, bytes: number, target: Buffer, to: number): void {
  if (bytes > LOOP_COPY_BYTES_MAX) source.copy(target, to, from, from + bytes);
  else for (let index = 0; index < bytes; index++) target[to + index] = source[from + index] as number;
}

/** Records by row. Rows are handed out by `ZnodeTable`, which adds the links between them. */
export class ZnodeRecords {
  protected readonly slabs: SlabStore = new SlabStore();
  /** Locations in the slabs; unsigned values in a signed column. */
  #record: Int32Array<ArrayBuffer>;
  /** Numbers in the ACL table. */
  #acl: Int32Array<ArrayBuffer>;

  constructor(rows: number) {
    this.#record = new Int32Array(rows);
    this.#acl = new Int32Array(rows);
  }

  /** Bytes that the records occupy. */
  get recordBytes(): number {
    return this.slabs.usedBytes;
  }

  /** Number in the ACL table. */
  acl(row: number): number {
    return this.#acl[row] as number;
  }

  name(row: number): string {
    const { slab, nameStart, nameEnd } = this.nameRange(row);
    return slab.utf8Slice(nameStart, nameEnd);
  }

  /** The data: **a view of the slab**, valid until the tree changes. */
  data(row: number): Buffer | null {
    const start = this.#dataStart(row);
    const slab = this.slab(row);
    const length = getInt(slab, start);
    return length < 0 ? null : slab.subarray(start + 4, start + 4 + length);
  }

  dataLength(row: number): number {
    return Math.max(getInt(this.slab(row), this.#dataStart(row)), 0);
  }

  version(row: number): number {
    return this.#statInt(row, StatOffset.version);
  }
  aversion(row: number): number {
    return this.#statInt(row, StatOffset.aversion);
  }
  numChildren(row: number): number {
    return this.#statInt(row, StatOffset.numChildren);
  }
  czxid(row: number): number {
    return this.#statLong(row, StatOffset.czxid);
  }
  mzxid(row: number): number {
    return this.#statLong(row, StatOffset.mzxid);
  }
  pzxid(row: number): number {
    return this.#statLong(row, StatOffset.pzxid);
  }
  ctimeMs(row: number): number {
    return this.#statLong(row, StatOffset.ctime);
  }
  mtimeMs(row: number): number {
    return this.#statLong(row, StatOffset.mtime);
  }
  /** The session of an ephemeral, else 0n. */
  ephemeralOwner(row: number): bigint {
    return this.slab(row).readBigInt64BE(this.#statStart(row) + StatOffset.ephemeralOwner);
  }
  isEphemeral(row: number): boolean {
    const slab = this.slab(row);
    const owner = this.#statStart(row) + StatOffset.ephemeralOwner;
    return getInt(slab, owner) !== 0 || getInt(slab, owner + 4) !== 0;
  }

  /**
   * The persisted cversion, which counts creates of children. Clients are shown 2 × this − children; since
   * it lies in 0…2^31−1 it can be computed back, and only the shown one is stored.
   */
  cversion(row: number): number {
    const slab = this.slab(row);
    const stat = this.#statStart(row);
    return (
      ((getInt(slab, stat + StatOffset.cversion) + getInt(slab, stat + StatOffset.numChildren)) >>> 0) / 2
    );
  }

  setCversion(row: number, cversion: number): void {
    const slab = this.slab(row);
    const stat = this.#statStart(row);
    putInt(
      slab,
      stat + StatOffset.cversion,
      (2 * cversion - getInt(slab, stat + StatOffset.numChildren)) | 0,
    );
  }

  setPzxid(row: number, pzxid: number): void {
    putLongNumber(this.slab(row), this.#statStart(row) + StatOffset.pzxid, pzxid);
  }

  setAcl(row: number, acl: number, aversion: number): void {
    this.#acl[row] = acl;
    putInt(this.slab(row), this.#statStart(row) + StatOffset.aversion, aversion);
  }

  /** Replaces the data (copied), leaving the Stat but for `dataLength`. The record moves if it has to. */
  replaceData(row: number, data: Uint8Array | null): void {
    const oldBytes = this.#recordBytes(row);
    const oldLength = this.dataLength(row);
    const length = data?.length ?? 0;
    const bytes = oldBytes - oldLength + length;
    let slab = this.slab(row);
    let dataStart = this.#dataStart(row);
    if (bytes !== oldBytes) {
      const location = this.location(row);
      const offset = this.slabs.offset(location);
      const oldStat = dataStart + 4 + oldLength;
      if (blockBytes(bytes) === blockBytes(oldBytes)) {
        slab.copyWithin(dataStart + 4 + length, oldStat, oldStat + STAT_BYTES);
      } else {
        const moved = this.slabs.allocate(bytes);
        const target = this.slabs.slab(moved);
        const start = this.slabs.offset(moved);
        slab.copy(target, start, offset, dataStart);
        const newStart = start + (dataStart - offset);
        slab.copy(target, newStart + 4 + length, oldStat, oldStat + STAT_BYTES);
        this.slabs.release(location, oldBytes);
        this.#record[row] = moved;
        slab = target;
        dataStart = newStart;
      }
      putInt(slab, dataStart + 4 + length + StatOffset.dataLength, length);
    }
    putInt(slab, dataStart, data === null ? -1 : length);
    if (data !== null) slab.set(data, dataStart + 4);
  }

  /** Notes a change of the data in the Stat. */
  setModified(row: number, version: number, mzxid: number, mtimeMs: number): void {
    const slab = this.slab(row);
    const stat = this.#statStart(row);
    putInt(slab, stat + StatOffset.version, version);
    putLongNumber(slab, stat + StatOffset.mzxid, mzxid);
    putLongNumber(slab, stat + StatOffset.mtime, mtimeMs);
  }

  /** Overwrites the Stat of a built-in znode with what a snapshot holds; children and data stay. */
  restoreStat(
    row: number,
    stat: Pick<NewZnode, "czxid" | "mzxid" | "pzxid" | "ctimeMs" | "mtimeMs" | "version" | "cversion">,
  ): void {
    const slab = this.slab(row);
    const start = this.#statStart(row);
    putLongNumber(slab, start + StatOffset.czxid, stat.czxid);
    putLongNumber(slab, start + StatOffset.ctime, stat.ctimeMs);
    this.setModified(row, stat.version, stat.mzxid, stat.mtimeMs);
    this.setCversion(row, stat.cversion);
    this.setPzxid(row, stat.pzxid);
  }

  /** Appends the Stat. */
  writeStat(row: number, writer: JuteWriter): void {
    const slab = this.slab(row);
    const from = this.#statStart(row);
    const to = writer.claim(STAT_BYTES);
    copyBytes(slab, from, STAT_BYTES, writer.memory, to);
  }

  /** Appends data and Stat: the body of a getData reply. */
  writeDataAndStat(row: number, writer: JuteWriter): void {
    const slab = this.slab(row);
    const from = this.#dataStart(row);
    const bytes = 4 + Math.max(getInt(slab, from), 0) + STAT_BYTES;
    const to = writer.claim(bytes);
    copyBytes(slab, from, bytes, writer.memory, to);
  }

  protected location(row: number): number {
    return (this.#record[row] as number) >>> 0;
  }

  protected slab(row: number): Buffer {
    return this.slabs.slab((this.#record[row] as number) >>> 0);
  }

  #dataStart(row: number): number {
    const location = this.location(row);
    const offset = this.slabs.offset(location);
    return offset + 4 + getInt(this.slabs.slab(location), offset);
  }

  #statStart(row: number): number {
    const dataStart = this.#dataStart(row);
    const length = getInt(this.slab(row), dataStart);
    return dataStart + 4 + Math.max(length, 0);
  }

  #recordBytes(row: number): number {
    return this.#statStart(row) + STAT_BYTES - this.slabs.offset(this.location(row));
  }

  #statInt(row: number, field: number): number {
    return getInt(this.slab(row), this.#statStart(row) + field);
  }

  #statLong(row: number, field: number): number {
    return getLongNumber(this.slab(row), this.#statStart(row) + field);
  }

  protected nameRange(row: number): { slab: Buffer; nameStart: number; nameEnd: number } {
    const location = this.location(row);
    const slab = this.slabs.slab(location);
    const nameStart = this.slabs.offset(location) + 4;
    return { slab, nameStart, nameEnd: nameStart + getInt(slab, nameStart - 4) };
  }

  protected createRecord(row: number, name: string, znode: NewZnode): void {
    const { data } = znode;
    const nameBytes = Buffer.byteLength(name);
    const dataBytes = data?.length ?? 0;
    const location = this.slabs.allocate(8 + nameBytes + dataBytes + STAT_BYTES);
    this.#record[row] = location;
    this.#acl[row] = znode.acl;
    const slab = this.slabs.slab(location);
    let at = this.slabs.offset(location);
    putInt(slab, at, nameBytes);
    if (nameBytes === name.length) {
      for (let index = 0; index < nameBytes; index++) slab[at + 4 + index] = name.charCodeAt(index);
    } else {
      slab.utf8Write(name, at + 4);
    }
    at += 4 + nameBytes;
    putInt(slab, at, data === null ? -1 : dataBytes);
    if (data !== null) slab.set(data, at + 4);
    at += 4 + dataBytes;
    putLongNumber(slab, at + StatOffset.czxid, znode.czxid);
    putLongNumber(slab, at + StatOffset.mzxid, znode.mzxid);
    putLongNumber(slab, at + StatOffset.ctime, znode.ctimeMs);
    putLongNumber(slab, at + StatOffset.mtime, znode.mtimeMs);
    putInt(slab, at + StatOffset.version, znode.version);
    putInt(slab, at + StatOffset.cversion, (2 * znode.cversion) | 0);
    putInt(slab, at + StatOffset.aversion, znode.aversion);
    if (znode.ephemeralOwner === 0n) {
      putInt(slab, at + StatOffset.ephemeralOwner, 0);
      putInt(slab, at + StatOffset.ephemeralOwner + 4, 0);
    } else {
      slab.writeBigInt64BE(znode.ephemeralOwner, at + StatOffset.ephemeralOwner);
    }
    putInt(slab, at + StatOffset.dataLength, dataBytes);
    putInt(slab, at + StatOffset.numChildren, 0);
    putLongNumber(slab, at + StatOffset.pzxid, znode.pzxid);
  }

  /** Adds to the number of children; the shown cversion is 2 × persisted − children, so it moves the other way. */
  protected countChild(parent: number, change: 1 | -1): void {
    const slab = this.slab(parent);
    const stat = this.#statStart(parent);
    putInt(slab, stat + StatOffset.numChildren, getInt(slab, stat + StatOffset.numChildren) + change);
    putInt(slab, stat + StatOffset.cversion, (getInt(slab, stat + StatOffset.cversion) - change) | 0);
  }

  /** Frees the record of a row. */
  protected releaseRecord(row: number): void {
    this.slabs.release(this.location(row), this.#recordBytes(row));
  }

  /** Makes room for more rows. */
  protected growRecords(rows: number): void {
    this.#record = grown(this.#record, rows);
    this.#acl = grown(this.#acl, rows);
  }

  /** Appends the name as ustring. */
  protected writeName(row: number, writer: JuteWriter): void {
    const slab = this.slab(row);
    const from = this.slabs.offset(this.location(row));
    const bytes = 4 + getInt(slab, from);
    const to = writer.claim(bytes);
    copyBytes(slab, from, bytes, writer.memory, to);
  }
}
