// SPDX-License-Identifier: Apache-2.0
// Reads a snapshot front to back in bounded memory, checking its seals on the way.
import type { FileStore } from "@meerkat/runtime";
import { type Acl, JuteReader, readAcls } from "@meerkat/wire";
import type { SnapshotNode } from "../seam.ts";
import { ADLER_START, adler32 } from "./adler32.ts";
import { ByteWindow } from "./byte-source.ts";
import type { SnapshotFile } from "./file-names.ts";
import {
  ACL_ID_AND_STAT_BYTES,
  aclIdAt,
  DIGEST_SECTION_BYTES,
  OPEN_ACL_ID,
  SEAL_BYTES,
  SNAPSHOT_HEADER_BYTES,
  SNAPSHOT_MAGIC,
  SNAPSHOT_VERSION,
  ZXID_SECTION_BYTES,
  znodeAt,
} from "./snapshot-format.ts";
import { openSnapshot } from "./snapshot-source.ts";
import { StorageError } from "./storage-error.ts";

/** Longest path, data or ACL list that is believed; it bounds what a damaged length can make us read. */
const FIELD_BYTES_MAX = 64 * 1024 * 1024;

/** Takes the parts of a snapshot in the order of the file. */
export interface SnapshotVisitor {
  session(id: bigint, timeoutMs: number): void;
  acl(id: number, acl: readonly Acl[]): void;
  /**
   * A znode as it lies in `bytes[start, end)`; its path ends and its data's length begins at `pathEnd`.
   * The bytes are valid until it returns.
   */
  znode(bytes: Buffer, start: number, pathEnd: number, end: number): void;
  /** Called from time to time between znodes, with no bytes in use: a place to wait for a slow writer. */
  pause?(): Promise<void> | undefined;
}

/** The digest that the snapshot's writer had of its tree. */
export interface SnapshotDigest {
  readonly zxid: number;
  readonly version: number;
  readonly digest: bigint;
}

/** What a snapshot said besides its content. */
export interface SnapshotSummary {
  readonly znodes: number;
  readonly digest: SnapshotDigest | undefined;
}

/**
 * Reads a snapshot. Rejects with `SNAPSHOT_DAMAGED` where the bytes do not follow the format or do not fit
 * a seal; the visitor has seen what stands before then, so check with `isSnapshotSound` first when that
 * cannot be undone.
 */
export async function readSnapshot(
  files: FileStore,
  snapshot: SnapshotFile,
  visitor: SnapshotVisitor,
): Promise<SnapshotSummary> {
  const source = await openSnapshot(files, snapshot);
  try {
    return await new SnapshotScan(snapshot, new ByteWindow(source), visitor).run();
  } catch (error) {
    if (error instanceof StorageError) throw error;
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw new StorageError(
      "SNAPSHOT_DAMAGED",
      `the snapshot ${snapshot.path} cannot be read: ${String(error)}`,
      { path: snapshot.path },
      { cause: error },
    );
  } finally {
    await source.close();
  }
}

/** Sessions and whole znodes of a snapshot, for those who keep them as they come. */
export interface SnapshotContent {
  session(id: bigint, timeoutMs: number): void;
  /** Znodes with one ACL id share one list. `data` is valid until it returns. */
  znode(node: SnapshotNode): void;
}

/**
 * Decodes znodes for `content`. One that names an ACL id missing from the file, as ZooKeeper's snapshots
 * sometimes do, gets an empty list: nobody may touch it until the log says who may.
 */
export function decodingVisitor(content: SnapshotContent): SnapshotVisitor {
  const acls = new Map<number, readonly Acl[]>();
  const nobody: readonly Acl[] = [];
  return {
    session: (id, timeoutMs) => content.session(id, timeoutMs),
    acl: (id, acl) => acls.set(id, acl),
    znode(bytes, start, pathEnd, end) {
      const aclId = aclIdAt(bytes, end);
      const acl = aclId === OPEN_ACL_ID ? null : (acls.get(aclId) ?? nobody);
      content.znode(znodeAt(bytes, start, pathEnd, end, acl));
    },
  };
}

class SnapshotScan {
  readonly #snapshot: SnapshotFile;
  readonly #window: ByteWindow;
  readonly #visitor: SnapshotVisitor;
  readonly #reader = new JuteReader(Buffer.alloc(0));
  /** Checksum of everything before `bytes[#summed]`. */
  #sum: number = ADLER_START;
  #summed = 0;

  constructor(snapshot: SnapshotFile, window: ByteWindow, visitor: SnapshotVisitor) {
    this.#snapshot = snapshot;
    this.#window = window;
    this.#visitor = visitor;
  }

  async run(): Promise<SnapshotSummary> {
    const header = await this.#take(SNAPSHOT_HEADER_BYTES);
    if (header.int() !== SNAPSHOT_MAGIC || header.int() !== SNAPSHOT_VERSION) {
      throw this.#damage("it does not begin with ZooKeeper's snapshot header");
    }
    const sessions = (await this.#take(4)).int();
    for (let index = 0; index < sessions; index++) {
      const reader = await this.#take(12);
      this.#visitor.session(reader.long(), reader.int());
    }
    await this.#acls();
    const znodes = await this.#znodes();
    await this.#seal();
    const digest = await this.#sections();
    return { znodes, digest };
  }

  async #acls(): Promise<void> {
    const count = (await this.#take(4)).int();
    for (let index = 0; index < count; index++) {
      const id = (await this.#take(8)).longNumber();
      await this.#require(4);
      const entries = this.#window.bytes.readInt32BE(this.#window.start);
      // Entries have no length of their own: find where they end before reading them.
      let bytes = 4;
      for (let entry = 0; entry < entries; entry++) {
        bytes += 4;
        bytes += await this.#lengthAt(bytes);
        bytes += await this.#lengthAt(bytes);
      }
      this.#visitor.acl(id, readAcls(await this.#take(bytes)) ?? []);
    }
  }

  /** Length, with its prefix, of the string or buffer that begins `offset` bytes from here. */
  async #lengthAt(offset: number): Promise<number> {
    await this.#require(offset + 4);
    const length = this.#window.bytes.readInt32BE(this.#window.start + offset);
    if (length > FIELD_BYTES_MAX || length < -1) throw this.#damage(`impossible length ${length}`);
    return 4 + Math.max(length, 0);
  }

  async #znodes(): Promise<number> {
    let count = 0;
    for (;;) {
      const read = this.#znodesAtHand();
      count += read.count;
      if (read.ended) return count;
      const pause = this.#visitor.pause?.();
      if (pause !== undefined) await pause;
      await this.#require(read.wanted);
    }
  }

  /** Hands out the whole znodes in the window; synchronous, since there are millions. */
  #znodesAtHand(): { count: number; ended: boolean; wanted: number } {
    const window = this.#window;
    const { bytes } = window;
    for (let count = 0; ; count++) {
      const { start, end } = window;
      if (end - start < 5) return { count, ended: false, wanted: 5 };
      const pathBytes = bytes.readInt32BE(start);
      if (pathBytes === 1 && bytes[start + 4] === 0x2f) {
        window.start += 5;
        return { count, ended: true, wanted: 0 };
      }
      if (pathBytes < 0 || pathBytes > FIELD_BYTES_MAX) throw this.#damage(`impossible length ${pathBytes}`);
      const pathEnd = start + 4 + pathBytes;
      if (pathEnd + 4 > end) return { count, ended: false, wanted: pathEnd + 4 - start };
      const dataBytes = bytes.readInt32BE(pathEnd);
      if (dataBytes < -1 || dataBytes > FIELD_BYTES_MAX) throw this.#damage(`impossible length ${dataBytes}`);
      const nodeEnd = pathEnd + 4 + Math.max(dataBytes, 0) + ACL_ID_AND_STAT_BYTES;
      if (nodeEnd > end) return { count, ended: false, wanted: nodeEnd - start };
      this.#visitor.znode(bytes, start, pathEnd, nodeEnd);
      window.start = nodeEnd;
    }
  }

  /** The optional sections, told apart by what is left: both, the digest, or the zxid alone. */
  async #sections(): Promise<SnapshotDigest | undefined> {
    let digest: SnapshotDigest | undefined;
    if (await this.#more(DIGEST_SECTION_BYTES + SEAL_BYTES)) {
      const reader = await this.#take(DIGEST_SECTION_BYTES);
      digest = { zxid: reader.longNumber(), version: reader.int(), digest: reader.long() };
      await this.#seal();
    }
    if (await this.#more(1)) {
      await this.#take(ZXID_SECTION_BYTES);
      await this.#seal();
    }
    if (await this.#more(1)) throw this.#damage("bytes follow the last seal");
    return digest;
  }

  async #seal(): Promise<void> {
    this.#hash();
    const expected = this.#sum;
    const reader = await this.#take(SEAL_BYTES);
    if (reader.int() !== 0 || reader.int() >>> 0 !== expected || reader.text() !== "/") {
      throw this.#damage("its content does not fit the seal");
    }
  }

  /** The next `count` bytes as a reader. */
  async #take(count: number): Promise<JuteReader> {
    await this.#require(count);
    const { bytes, start } = this.#window;
    this.#window.start += count;
    this.#reader.reset(bytes, start, start + count);
    return this.#reader;
  }

  async #require(count: number): Promise<void> {
    if (!(await this.#more(count))) throw this.#damage("it is cut off");
  }

  async #more(count: number): Promise<boolean> {
    if (this.#window.available >= count) return true;
    this.#hash();
    const enough = await this.#window.need(count);
    this.#summed = this.#window.start;
    return enough;
  }

  #hash(): void {
    this.#sum = adler32(this.#window.bytes, this.#summed, this.#window.start, this.#sum);
    this.#summed = this.#window.start;
  }

  #damage(reason: string): StorageError {
    const offset = this.#window.position;
    const { path } = this.#snapshot;
    return new StorageError(
      "SNAPSHOT_DAMAGED",
      `the snapshot ${path} is damaged at byte ${offset}: ${reason}`,
      {
        path,
        offset,
      },
    );
  }
}
