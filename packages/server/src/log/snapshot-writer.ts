// SPDX-License-Identifier: Apache-2.0
// Writes a snapshot piece by piece in bounded memory. The file gets its name only when all of it is on the
// disk, so a snapshot by name is a whole one, and its directory is synced, so it stays.
import { join } from "node:path";
import type { FileStore, OpenFile } from "@meerkat/runtime";
import { type Acl, JuteWriter, writeAcls } from "@meerkat/wire";
import type { SnapshotNode, SnapshotSource } from "../seam.ts";
import { ADLER_START, adler32 } from "./adler32.ts";
import { type SnapshotFile, snapshotFileName, UNFINISHED_PREFIX } from "./file-names.ts";
import {
  DIGEST_VERSION,
  OPEN_ACL_ID,
  SNAPSHOT_MAGIC,
  SNAPSHOT_VERSION,
  writeSnapshotNode,
} from "./snapshot-format.ts";
import { TreeDigest } from "./tree-digest.ts";

/** Bytes that are collected before a write. */
const CHUNK_BYTES = 1024 * 1024;
/** Bytes written between syncs, so that the disk is never busy for long while the log wants it. */
const SYNC_STEP_BYTES = 8 * 1024 * 1024;

/** Where a snapshot goes. */
export interface SnapshotTarget {
  readonly files: FileStore;
  readonly directory: string;
  /** The last transaction that the snapshot holds. */
  readonly zxid: number;
}

/** One snapshot on its way to the disk: `begin`, znodes with `drain` between them, `finish`. */
export class SnapshotWriter {
  readonly #target: SnapshotTarget;
  readonly #file: OpenFile;
  readonly #writer = new JuteWriter(CHUNK_BYTES + CHUNK_BYTES / 2);
  readonly #digest = new TreeDigest();
  #sum: number = ADLER_START;
  #position = 0;
  #synced = 0;

  private constructor(target: SnapshotTarget, file: OpenFile) {
    this.#target = target;
    this.#file = file;
  }

  /** Opens the file under a temporary name. */
  static async open(target: SnapshotTarget): Promise<SnapshotWriter> {
    const file = await target.files.open(unfinishedPath(target), "create");
    return new SnapshotWriter(target, file);
  }

  /** Writes what comes before the znodes. */
  begin(
    sessions: readonly (readonly [id: bigint, timeoutMs: number])[],
    acls: readonly (readonly [id: number, acl: readonly Acl[]])[],
  ): void {
    const writer = this.#writer;
    writer.int(SNAPSHOT_MAGIC);
    writer.int(SNAPSHOT_VERSION);
    writer.longHalves(-1, -1);
    writer.vector(sessions, (_, [id, timeoutMs]) => {
      writer.long(id);
      writer.int(timeoutMs);
    });
    writer.vector(acls, (_, [id, acl]) => {
      writer.longNumber(id);
      writeAcls(writer, acl);
    });
  }

  /** Adds a znode; its parent must have been added before. */
  znode(node: SnapshotNode, aclId: number): void {
    const before = this.#writer.length;
    writeSnapshotNode(this.#writer, node, aclId);
    this.#addToDigest(before);
  }

  /** Adds a znode as it lies in another snapshot with the same ACL ids. */
  rawZnode(bytes: Buffer, start: number, pathEnd: number, end: number): void {
    this.#digest.add(bytes, start, pathEnd, end);
    this.#writer.raw(bytes.subarray(start, end));
  }

  /** Undefined while there is room; otherwise to be awaited before more is added. */
  drain(): Promise<void> | undefined {
    return this.#writer.length < CHUNK_BYTES ? undefined : this.#flush();
  }

  /** Seals the snapshot and gives it its name; everything is on the disk when this resolves. */
  async finish(): Promise<SnapshotFile> {
    const { files, directory, zxid } = this.#target;
    const writer = this.#writer;
    writer.ustring("/");
    await this.#seal();
    writer.longNumber(zxid);
    writer.int(DIGEST_VERSION);
    writer.long(this.#digest.value());
    await this.#seal();
    await this.#flush();
    await this.#file.dataSync();
    await this.#file.close();
    const name = snapshotFileName(zxid);
    const path = join(directory, name);
    await files.rename(unfinishedPath(this.#target), path);
    await files.syncDirectory(directory);
    return { path, name, zxid, packing: "none" };
  }

  /** Gives up and removes what was written. */
  async abandon(): Promise<void> {
    await this.#file.close();
    await this.#target.files.remove(unfinishedPath(this.#target));
  }

  async #seal(): Promise<void> {
    await this.#flush();
    this.#writer.longHalves(0, this.#sum);
    this.#writer.ustring("/");
  }

  async #flush(): Promise<void> {
    const bytes = this.#writer.take();
    this.#sum = adler32(bytes, 0, bytes.length, this.#sum);
    await this.#file.write(bytes, this.#position);
    this.#position += bytes.length;
    this.#writer.recycle();
    if (this.#position - this.#synced < SYNC_STEP_BYTES) return;
    this.#synced = this.#position;
    await this.#file.dataSync();
  }

  #addToDigest(before: number): void {
    const bytes = this.#writer.peek(before);
    this.#digest.add(bytes, 0, 4 + bytes.readInt32BE(0), bytes.length);
  }
}

function unfinishedPath(target: SnapshotTarget): string {
  return join(target.directory, `${UNFINISHED_PREFIX}${snapshotFileName(target.zxid)}`);
}

/** Gives equal ACL lists one id, counting from 1 as ZooKeeper does. */
export class AclIds {
  readonly #byList = new Map<readonly Acl[], number>();
  readonly #byContent = new Map<string, number>();
  readonly #lists: [number, readonly Acl[]][] = [];
  #lastId = 0;

  /** Keeps a list under the id it has in another snapshot. */
  keep(id: number, acl: readonly Acl[]): void {
    this.#lists.push([id, acl]);
    this.#byContent.set(contentOf(acl), id);
    if (id > this.#lastId) this.#lastId = id;
  }

  /** The id of a list; a new one when it is new. */
  idOf(acl: readonly Acl[] | null): number {
    if (acl === null) return OPEN_ACL_ID;
    const known = this.#byList.get(acl);
    if (known !== undefined) return known;
    const content = contentOf(acl);
    let id = this.#byContent.get(content);
    if (id === undefined) {
      id = ++this.#lastId;
      this.#byContent.set(content, id);
      this.#lists.push([id, acl]);
    }
    this.#byList.set(acl, id);
    return id;
  }

  /** All lists with their ids. */
  lists(): readonly (readonly [number, readonly Acl[]])[] {
    return this.#lists;
  }
}

function contentOf(acl: readonly Acl[]): string {
  return JSON.stringify(acl.map((entry) => [entry.permissions, entry.scheme, entry.id]));
}

/**
 * Writes the state in `source`, which must not change until this settles. It gives way to the event loop
 * after every megabyte.
 */
export async function writeSnapshot(
  files: FileStore,
  directory: string,
  source: SnapshotSource,
): Promise<SnapshotFile> {
  const ids = new AclIds();
  // The file wants the lists before the znodes.
  for (const node of source.nodes()) ids.idOf(node.acl);
  const writer = await SnapshotWriter.open({ files, directory, zxid: source.lastZxid });
  try {
    writer.begin([...source.sessions()], ids.lists());
    for (const node of source.nodes()) {
      writer.znode(node, ids.idOf(node.acl));
      const full = writer.drain();
      if (full !== undefined) await full;
    }
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}
