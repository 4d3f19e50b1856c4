// SPDX-License-Identifier: Apache-2.0
// Storage of znodes: a number (row) per znode, its links in typed arrays and its record in a slab. No object
// per znode exists, so a million of them cost about 230 bytes each with 100 bytes of data and no garbage
// collection time. A record is kept as the wire wants it:
//
//   record => name:ustring data:buffer stat:Stat
//
// so a getData reply is one copy of `data stat`, an exists reply one of `stat`, and a list of children one of
// each child's `name`. Znodes are found by (parent row, name) in one hash index, straight from the bytes of a
// request: no string is made to answer a read.
import type { JuteWriter } from "@meerkat/wire";
import { getInt, getLongNumber, putInt, putLongNumber } from "./big-endian.ts";
import { blockBytes, SlabStore } from "./slab-store.ts";
import { STAT_BYTES, StatOffset } from "./stat-layout.ts";

/** "No such znode", and the end of lists. */
export const NO_ROW = -1;
/** The root's row. */
export const ROOT_ROW = 0;

const SLASH = 0x2f;
const FIRST_ROWS = 1024;
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

function grown(column: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(column);
  return larger;
}

/** Mixes the bits, since the index uses the low ones. */
function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 15);
  mixed = Math.imul(mixed, 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}

/** All znodes of a tree. Checks nothing about paths, ACLs or versions: its callers do. */
export class ZnodeTable {
  readonly #slabs = new SlabStore();
  readonly #seed: number;
  #parent = new Int32Array(FIRST_ROWS);
  #firstChild = new Int32Array(FIRST_ROWS);
  /** Siblings in order of creation. The first one's `previous` is the last, the last one's `next` NO_ROW. */
  #next = new Int32Array(FIRST_ROWS);
  #previous = new Int32Array(FIRST_ROWS);
  #hash = new Int32Array(FIRST_ROWS);
  #acl = new Int32Array(FIRST_ROWS);
  /** Locations in the slabs; unsigned values in a signed column. */
  #record = new Int32Array(FIRST_ROWS);
  /** Open addressing with linear probing; holds row + 1, 0 for empty. Always a power of two long. */
  #index = new Int32Array(FIRST_ROWS * 2);
  #rows = 0;
  #freeRow = NO_ROW;
  #count = 0;

  /** `seed` makes the hash unpredictable to whoever picks names. */
  constructor(seed: number, root: NewZnode) {
    this.#seed = seed | 0;
    const row = this.#takeRow();
    this.#parent[row] = NO_ROW;
    this.#initialise(row, "", root);
  }

  /** Number of znodes, the root among them. */
  get count(): number {
    return this.#count;
  }

  /** Bytes that the records occupy. */
  get recordBytes(): number {
    return this.#slabs.usedBytes;
  }

  /** The row of the path in `bytes[start, end)`, or NO_ROW. The empty path is the root, as in ZooKeeper. */
  find(bytes: Buffer, start: number, end: number): number {
    if (end - start <= 1) return start === end || bytes[start] === SLASH ? ROOT_ROW : NO_ROW;
    if (bytes[start] !== SLASH) return NO_ROW;
    let row = ROOT_ROW;
    let from = start + 1;
    for (;;) {
      let hash = this.#startHash(row);
      let to = from;
      for (; to < end; to++) {
        const byte = bytes[to] as number;
        if (byte === SLASH) break;
        hash = Math.imul(hash ^ byte, 0x01000193);
      }
      row = this.#probeBytes(row, finish(hash), bytes, from, to);
      if (row === NO_ROW || to === end) return row;
      from = to + 1;
    }
  }

  /** The row of a path, or NO_ROW. */
  findText(path: string): number {
    const end = path.length;
    if (end <= 1) return end === 0 || path === "/" ? ROOT_ROW : NO_ROW;
    if (path.charCodeAt(0) !== SLASH) return NO_ROW;
    let row = ROOT_ROW;
    let from = 1;
    for (;;) {
      let hash = this.#startHash(row);
      let to = from;
      for (; to < end; to++) {
        const unit = path.charCodeAt(to);
        if (unit === SLASH) break;
        if (unit > 0x7f) {
          const bytes = Buffer.from(path);
          return this.find(bytes, 0, bytes.length);
        }
        hash = Math.imul(hash ^ unit, 0x01000193);
      }
      row = this.#probeAscii(row, finish(hash), path, from, to);
      if (row === NO_ROW || to === end) return row;
      from = to + 1;
    }
  }

  /** The row of the child of `parent` whose name is `path` from `start` on, or NO_ROW. */
  findChild(parent: number, path: string, start: number): number {
    let hash = this.#startHash(parent);
    for (let at = start; at < path.length; at++) {
      const unit = path.charCodeAt(at);
      if (unit > 0x7f) {
        const bytes = Buffer.from(path.slice(start));
        const byteHash = this.#hashBytes(parent, bytes, 0, bytes.length);
        return this.#probeBytes(parent, byteHash, bytes, 0, bytes.length);
      }
      hash = Math.imul(hash ^ unit, 0x01000193);
    }
    return this.#probeAscii(parent, finish(hash), path, start, path.length);
  }

  /** Adds a znode under `parent`, where no child of that name may exist. The parent's Stat counts it. */
  insert(parent: number, name: string, znode: NewZnode): number {
    const row = this.#takeRow();
    this.#parent[row] = parent;
    this.#initialise(row, name, znode);
    const { slab, nameStart, nameEnd } = this.#nameRange(row);
    this.#hash[row] = this.#hashBytes(parent, slab, nameStart, nameEnd);
    this.#linkChild(parent, row);
    this.#addToIndex(row);
    this.#countChild(parent, 1);
    return row;
  }

  /** Removes a znode without children. The parent's Stat counts it. */
  remove(row: number): void {
    const parent = this.#parent[row] as number;
    this.#removeFromIndex(row);
    this.#unlinkChild(parent, row);
    this.#countChild(parent, -1);
    this.#slabs.release(this.#location(row), this.#recordBytes(row));
    this.#next[row] = this.#freeRow;
    this.#freeRow = row;
    this.#count--;
  }

  parent(row: number): number {
    return this.#parent[row] as number;
  }

  /** The oldest child, or NO_ROW; go on with `nextSibling`. */
  firstChild(row: number): number {
    return this.#firstChild[row] as number;
  }

  nextSibling(row: number): number {
    return this.#next[row] as number;
  }

  /** Number in the ACL table. */
  acl(row: number): number {
    return this.#acl[row] as number;
  }

  name(row: number): string {
    const { slab, nameStart, nameEnd } = this.#nameRange(row);
    return slab.utf8Slice(nameStart, nameEnd);
  }

  path(row: number): string {
    if (row === ROOT_ROW) return "/";
    let path = "";
    for (let at = row; at !== ROOT_ROW; at = this.#parent[at] as number) path = `/${this.name(at)}${path}`;
    return path;
  }

  /** The data: **a view of the slab**, valid until the tree changes. */
  data(row: number): Buffer | null {
    const start = this.#dataStart(row);
    const slab = this.#slab(row);
    const length = getInt(slab, start);
    return length < 0 ? null : slab.subarray(start + 4, start + 4 + length);
  }

  dataLength(row: number): number {
    return Math.max(getInt(this.#slab(row), this.#dataStart(row)), 0);
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
    return this.#slab(row).readBigInt64BE(this.#statStart(row) + StatOffset.ephemeralOwner);
  }
  isEphemeral(row: number): boolean {
    const slab = this.#slab(row);
    const owner = this.#statStart(row) + StatOffset.ephemeralOwner;
    return getInt(slab, owner) !== 0 || getInt(slab, owner + 4) !== 0;
  }

  /**
   * The persisted cversion, which counts creates of children. Clients are shown 2 × this − children; since
   * it lies in 0…2^31−1 it can be computed back, and only the shown one is stored.
   */
  cversion(row: number): number {
    const slab = this.#slab(row);
    const stat = this.#statStart(row);
    return (
      ((getInt(slab, stat + StatOffset.cversion) + getInt(slab, stat + StatOffset.numChildren)) >>> 0) / 2
    );
  }

  setCversion(row: number, cversion: number): void {
    const slab = this.#slab(row);
    const stat = this.#statStart(row);
    putInt(
      slab,
      stat + StatOffset.cversion,
      (2 * cversion - getInt(slab, stat + StatOffset.numChildren)) | 0,
    );
  }

  setPzxid(row: number, pzxid: number): void {
    putLongNumber(this.#slab(row), this.#statStart(row) + StatOffset.pzxid, pzxid);
  }

  setAcl(row: number, acl: number, aversion: number): void {
    this.#acl[row] = acl;
    putInt(this.#slab(row), this.#statStart(row) + StatOffset.aversion, aversion);
  }

  /** Replaces the data (copied), leaving the Stat but for `dataLength`. The record moves if it has to. */
  replaceData(row: number, data: Uint8Array | null): void {
    const oldBytes = this.#recordBytes(row);
    const oldLength = this.dataLength(row);
    const length = data?.length ?? 0;
    const bytes = oldBytes - oldLength + length;
    let slab = this.#slab(row);
    let dataStart = this.#dataStart(row);
    if (bytes !== oldBytes) {
      const location = this.#location(row);
      const offset = this.#slabs.offset(location);
      const oldStat = dataStart + 4 + oldLength;
      if (blockBytes(bytes) === blockBytes(oldBytes)) {
        slab.copyWithin(dataStart + 4 + length, oldStat, oldStat + STAT_BYTES);
      } else {
        const moved = this.#slabs.allocate(bytes);
        const target = this.#slabs.slab(moved);
        const start = this.#slabs.offset(moved);
        slab.copy(target, start, offset, dataStart);
        const newStart = start + (dataStart - offset);
        slab.copy(target, newStart + 4 + length, oldStat, oldStat + STAT_BYTES);
        this.#slabs.release(location, oldBytes);
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
    const slab = this.#slab(row);
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
    const slab = this.#slab(row);
    const start = this.#statStart(row);
    putLongNumber(slab, start + StatOffset.czxid, stat.czxid);
    putLongNumber(slab, start + StatOffset.ctime, stat.ctimeMs);
    this.setModified(row, stat.version, stat.mzxid, stat.mtimeMs);
    this.setCversion(row, stat.cversion);
    this.setPzxid(row, stat.pzxid);
  }

  /** Appends the Stat. */
  writeStat(row: number, writer: JuteWriter): void {
    const slab = this.#slab(row);
    const from = this.#statStart(row);
    const to = writer.claim(STAT_BYTES);
    const target = writer.memory;
    for (let index = 0; index < STAT_BYTES; index++) target[to + index] = slab[from + index] as number;
  }

  /** Appends data and Stat: the body of a getData reply. */
  writeDataAndStat(row: number, writer: JuteWriter): void {
    const slab = this.#slab(row);
    const from = this.#dataStart(row);
    const bytes = 4 + Math.max(getInt(slab, from), 0) + STAT_BYTES;
    const to = writer.claim(bytes);
    const target = writer.memory;
    if (bytes <= LOOP_COPY_BYTES_MAX) {
      for (let index = 0; index < bytes; index++) target[to + index] = slab[from + index] as number;
    } else {
      slab.copy(target, to, from, from + bytes);
    }
  }

  /** Appends the names of the children as vector<ustring>, oldest first. */
  writeChildren(row: number, writer: JuteWriter): void {
    writer.int(this.numChildren(row));
    for (let child = this.firstChild(row); child !== NO_ROW; child = this.#next[child] as number) {
      const slab = this.#slab(child);
      const from = this.#slabs.offset(this.#location(child));
      const bytes = 4 + getInt(slab, from);
      const to = writer.claim(bytes);
      const target = writer.memory;
      if (bytes <= LOOP_COPY_BYTES_MAX) {
        for (let index = 0; index < bytes; index++) target[to + index] = slab[from + index] as number;
      } else {
        slab.copy(target, to, from, from + bytes);
      }
    }
  }

  #location(row: number): number {
    return (this.#record[row] as number) >>> 0;
  }

  #slab(row: number): Buffer {
    return this.#slabs.slab((this.#record[row] as number) >>> 0);
  }

  #dataStart(row: number): number {
    const location = this.#location(row);
    const offset = this.#slabs.offset(location);
    return offset + 4 + getInt(this.#slabs.slab(location), offset);
  }

  #statStart(row: number): number {
    const dataStart = this.#dataStart(row);
    const length = getInt(this.#slab(row), dataStart);
    return dataStart + 4 + Math.max(length, 0);
  }

  #recordBytes(row: number): number {
    return this.#statStart(row) + STAT_BYTES - this.#slabs.offset(this.#location(row));
  }

  #statInt(row: number, field: number): number {
    return getInt(this.#slab(row), this.#statStart(row) + field);
  }

  #statLong(row: number, field: number): number {
    return getLongNumber(this.#slab(row), this.#statStart(row) + field);
  }

  #nameRange(row: number): { slab: Buffer; nameStart: number; nameEnd: number } {
    const location = this.#location(row);
    const slab = this.#slabs.slab(location);
    const nameStart = this.#slabs.offset(location) + 4;
    return { slab, nameStart, nameEnd: nameStart + getInt(slab, nameStart - 4) };
  }

  #takeRow(): number {
    this.#count++;
    const freed = this.#freeRow;
    if (freed !== NO_ROW) {
      this.#freeRow = this.#next[freed] as number;
      return freed;
    }
    const row = this.#rows++;
    if (row === this.#parent.length) {
      const length = row * 2;
      this.#parent = grown(this.#parent, length);
      this.#firstChild = grown(this.#firstChild, length);
      this.#next = grown(this.#next, length);
      this.#previous = grown(this.#previous, length);
      this.#hash = grown(this.#hash, length);
      this.#acl = grown(this.#acl, length);
      this.#record = grown(this.#record, length);
    }
    return row;
  }

  #initialise(row: number, name: string, znode: NewZnode): void {
    const { data } = znode;
    const nameBytes = Buffer.byteLength(name);
    const dataBytes = data?.length ?? 0;
    const location = this.#slabs.allocate(8 + nameBytes + dataBytes + STAT_BYTES);
    this.#record[row] = location;
    this.#firstChild[row] = NO_ROW;
    this.#next[row] = NO_ROW;
    this.#previous[row] = row;
    this.#acl[row] = znode.acl;
    const slab = this.#slabs.slab(location);
    let at = this.#slabs.offset(location);
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
  #countChild(parent: number, change: 1 | -1): void {
    const slab = this.#slab(parent);
    const stat = this.#statStart(parent);
    putInt(slab, stat + StatOffset.numChildren, getInt(slab, stat + StatOffset.numChildren) + change);
    putInt(slab, stat + StatOffset.cversion, (getInt(slab, stat + StatOffset.cversion) - change) | 0);
  }

  #linkChild(parent: number, row: number): void {
    const first = this.#firstChild[parent] as number;
    if (first === NO_ROW) {
      this.#firstChild[parent] = row;
      return;
    }
    const last = this.#previous[first] as number;
    this.#next[last] = row;
    this.#previous[row] = last;
    this.#previous[first] = row;
  }

  #unlinkChild(parent: number, row: number): void {
    const first = this.#firstChild[parent] as number;
    const next = this.#next[row] as number;
    const previous = this.#previous[row] as number;
    if (row === first) this.#firstChild[parent] = next;
    else this.#next[previous] = next;
    if (next !== NO_ROW) this.#previous[next] = previous;
    else if (row !== first) this.#previous[first] = previous;
  }

  #startHash(parent: number): number {
    return this.#seed ^ Math.imul(parent + 1, 0x9e3779b1);
  }

  #hashBytes(parent: number, bytes: Buffer, start: number, end: number): number {
    let hash = this.#startHash(parent);
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    return finish(hash);
  }

  #probeBytes(parent: number, hash: number, bytes: Buffer, start: number, end: number): number {
    const index = this.#index;
    const mask = index.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = (index[slot] as number) - 1;
      if (row === NO_ROW) return NO_ROW;
      if (this.#hash[row] !== hash || this.#parent[row] !== parent) continue;
      const location = this.#location(row);
      const slab = this.#slabs.slab(location);
      const name = this.#slabs.offset(location);
      if (getInt(slab, name) !== end - start) continue;
      let at = start;
      for (let from = name + 4; at < end && slab[from] === bytes[at]; from++) at++;
      if (at === end) return row;
    }
  }

  #probeAscii(parent: number, hash: number, text: string, start: number, end: number): number {
    const index = this.#index;
    const mask = index.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = (index[slot] as number) - 1;
      if (row === NO_ROW) return NO_ROW;
      if (this.#hash[row] !== hash || this.#parent[row] !== parent) continue;
      const location = this.#location(row);
      const slab = this.#slabs.slab(location);
      const name = this.#slabs.offset(location);
      if (getInt(slab, name) !== end - start) continue;
      let at = start;
      for (let from = name + 4; at < end && slab[from] === text.charCodeAt(at); from++) at++;
      if (at === end) return row;
    }
  }

  #addToIndex(row: number): void {
    if (this.#count * 3 > this.#index.length * 2) this.#growIndex();
    const index = this.#index;
    const mask = index.length - 1;
    let slot = (this.#hash[row] as number) & mask;
    while (index[slot] !== 0) slot = (slot + 1) & mask;
    index[slot] = row + 1;
  }

  #growIndex(): void {
    const old = this.#index;
    const index = new Int32Array(old.length * 2);
    const mask = index.length - 1;
    for (const entry of old) {
      if (entry === 0) continue;
      let slot = (this.#hash[entry - 1] as number) & mask;
      while (index[slot] !== 0) slot = (slot + 1) & mask;
      index[slot] = entry;
    }
    this.#index = index;
  }

  /** Closes the gap by moving later entries of the run back, so that no tombstones pile up. */
  #removeFromIndex(row: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let gap = (this.#hash[row] as number) & mask;
    while (index[gap] !== row + 1) gap = (gap + 1) & mask;
    for (let slot = (gap + 1) & mask; index[slot] !== 0; slot = (slot + 1) & mask) {
      const home = (this.#hash[(index[slot] as number) - 1] as number) & mask;
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      index[gap] = index[slot] as number;
      gap = slot;
    }
    index[gap] = 0;
  }
}
