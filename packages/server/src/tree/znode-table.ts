// SPDX-License-Identifier: Apache-2.0
// The znodes: a number (row) per znode, its links in typed arrays and its record in a slab. No object
// per znode exists, so a million of them cost about 230 bytes each with 100 bytes of data and no garbage
// collection time. Znodes are found by (parent row, name) in one hash index, straight from the bytes of a
// request: no string is made to answer a read.
import type { JuteWriter } from "@meerkat/wire";
import { getInt } from "./big-endian.ts";
import { grown, type NewZnode, ZnodeRecords } from "./znode-records.ts";

/** "No such znode", and the end of lists. */
export const NO_ROW = -1;
/** The root's row. */
export const ROOT_ROW = 0;

const SLASH = 0x2f;
const FIRST_ROWS = 1024;

/** Mixes the bits, since the index uses the low ones. */
function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 15);
  mixed = Math.imul(mixed, 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}

/** All znodes of a tree. Checks nothing about paths, ACLs or versions: its callers do. */
export class ZnodeTable extends ZnodeRecords {
  readonly #seed: number;
  #parent = new Int32Array(FIRST_ROWS);
  #firstChild = new Int32Array(FIRST_ROWS);
  /** Siblings in order of creation. The first one's `previous` is the last, the last one's `next` NO_ROW. */
  #next = new Int32Array(FIRST_ROWS);
  #previous = new Int32Array(FIRST_ROWS);
  #hash = new Int32Array(FIRST_ROWS);
  /** Open addressing with linear probing; holds row + 1, 0 for empty. Always a power of two long. */
  #index = new Int32Array(FIRST_ROWS * 2);
  #rows = 0;
  #freeRow = NO_ROW;
  #count = 0;

  /** `seed` makes the hash unpredictable to whoever picks names. */
  constructor(seed: number, root: NewZnode) {
    super(FIRST_ROWS);
    this.#seed = seed | 0;
    const row = this.#takeRow();
    this.#parent[row] = NO_ROW;
    this.#initialise(row, "", root);
  }

  /** Number of znodes, the root among them. */
  get count(): number {
    return this.#count;
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
    const { slab, nameStart, nameEnd } = this.nameRange(row);
    this.#hash[row] = this.#hashBytes(parent, slab, nameStart, nameEnd);
    this.#linkChild(parent, row);
    this.#addToIndex(row);
    this.countChild(parent, 1);
    return row;
  }

  /** Removes a znode without children. The parent's Stat counts it. */
  remove(row: number): void {
    const parent = this.#parent[row] as number;
    this.#removeFromIndex(row);
    this.#unlinkChild(parent, row);
    this.countChild(parent, -1);
    this.releaseRecord(row);
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

  path(row: number): string {
    if (row === ROOT_ROW) return "/";
    let path = "";
    for (let at = row; at !== ROOT_ROW; at = this.#parent[at] as number) path = `/${this.name(at)}${path}`;
    return path;
  }

  /** Appends the names of the children as vector<ustring>, oldest first. */
  writeChildren(row: number, writer: JuteWriter): void {
    writer.int(this.numChildren(row));
    for (let child = this.firstChild(row); child !== NO_ROW; child = this.nextSibling(child)) {
      this.writeName(child, writer);
    }
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
      this.growRecords(length);
    }
    return row;
  }

  #initialise(row: number, name: string, znode: NewZnode): void {
    this.createRecord(row, name, znode);
    this.#firstChild[row] = NO_ROW;
    this.#next[row] = NO_ROW;
    this.#previous[row] = row;
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
      const location = this.location(row);
      const slab = this.slabs.slab(location);
      const name = this.slabs.offset(location);
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
      const location = this.location(row);
      const slab = this.slabs.slab(location);
      const name = this.slabs.offset(location);
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
