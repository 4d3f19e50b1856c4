// SPDX-License-Identifier: Apache-2.0
// A disk in memory that forgets what was not synced, fails on demand and can be copied at any moment. Names
// become durable with `syncDirectory`, content with `dataSync` or a durable write, as on a real one.
import { type FileStore, type OpenFile, type Random, randomInt } from "@meerkat/runtime";

/** Unit in which the disk keeps or loses what was written and not synced. */
const SECTOR_BYTES = 512;

interface Inode {
  /** As the running system sees it. */
  content: Buffer;
  /** As it is on the platters. */
  durable: Buffer;
}

/** What a failing disk answers. */
export type DiskFault = "ENOSPC" | "EIO";

function systemError(code: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated, ${syscall}`), { code, syscall });
}

/** See the head of this file. */
export class SimulatedDisk implements FileStore {
  /** The names as the running system sees them, and as they are on the platters. */
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #locks = new Set<string>();
  /** Decides for each operation whether it fails; `undefined` lets it pass. */
  fault: (operation: "write" | "sync" | "rename" | "open", path: string) => DiskFault | undefined = () =>
    undefined;
  /** Operations so far that changed or synced something. */
  operations = 0;

  /** The content of a file. */
  content(path: string): Buffer {
    return this.#inode(path).content;
  }

  /** Writes a file as if it had always been there. */
  put(path: string, content: Uint8Array): void {
    const inode = { content: Buffer.from(content), durable: Buffer.from(content) };
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  /** All paths. */
  paths(): string[] {
    return [...this.#names.keys()];
  }

  /** A disk with the same content, all of it durable. */
  copy(): SimulatedDisk {
    const copy = new SimulatedDisk();
    for (const [path, inode] of this.#names) copy.put(path, inode.content);
    return copy;
  }

  /**
   * What is left after the power went: durable names with durable content, and of the rest any sectors that
   * chance got to the platters. Names that were not synced may have made it too.
   */
  powerCut(random: Random): SimulatedDisk {
    const after = new SimulatedDisk();
    const names = new Map(this.#durableNames);
    for (const [path, inode] of this.#names) if (random.float() < 0.5) names.set(path, inode);
    for (const path of this.#durableNames.keys()) {
      if (!this.#names.has(path) && random.float() < 0.5) names.delete(path);
    }
    for (const [path, inode] of names) after.put(path, survivor(inode, random));
    return after;
  }

  async open(
    path: string,
    mode: "read" | "modify" | "create",
    options: { readonly durableWrites?: boolean | undefined } = {},
  ): Promise<OpenFile> {
    this.#check("open", path);
    if (mode === "create") this.#names.set(path, { content: Buffer.alloc(0), durable: Buffer.alloc(0) });
    return this.#handle(path, this.#inode(path), options.durableWrites === true);
  }

  async list(directory: string): Promise<string[]> {
    const prefix = `${directory}/`;
    return this.paths()
      .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes("/"))
      .map((path) => path.slice(prefix.length));
  }

  async info(path: string): Promise<{ bytes: number; modifiedMs: number }> {
    return { bytes: this.#inode(path).content.length, modifiedMs: 0 };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#check("rename", from);
    this.#names.set(to, this.#inode(from));
    this.#names.delete(from);
  }

  async remove(path: string): Promise<void> {
    this.operations++;
    this.#names.delete(path);
  }

  async makeDirectory(): Promise<void> {}

  async syncDirectory(directory: string): Promise<void> {
    this.#check("sync", directory);
    const inside = (path: string): boolean => path.slice(0, path.lastIndexOf("/")) === directory;
    for (const path of [...this.#durableNames.keys()]) {
      if (inside(path) && !this.#names.has(path)) this.#durableNames.delete(path);
    }
    for (const [path, inode] of this.#names) if (inside(path)) this.#durableNames.set(path, inode);
  }

  async lock(path: string): Promise<(() => Promise<void>) | undefined> {
    if (this.#locks.has(path)) return undefined;
    this.#locks.add(path);
    return async () => {
      this.#locks.delete(path);
    };
  }

  #handle(path: string, inode: Inode, durableWrites: boolean): OpenFile {
    const sync = async (): Promise<void> => {
      this.#check("sync", path);
      inode.durable = Buffer.from(inode.content);
    };
    return {
      path,
      write: async (bytes, position) => {
        this.#check("write", path);
        const length = Math.max(inode.content.length, position + bytes.length);
        inode.content = resized(inode.content, length);
        inode.content.set(bytes, position);
        if (durableWrites) await sync();
      },
      read: async (into, position) => {
        if (position >= inode.content.length) return 0;
        return inode.content.copy(into, 0, position, Math.min(position + into.length, inode.content.length));
      },
      dataSync: sync,
      truncate: async (length) => {
        this.#check("write", path);
        inode.content = resized(inode.content, length);
      },
      size: async () => inode.content.length,
      close: async () => {},
    };
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw systemError("ENOENT", `open '${path}'`);
    return inode;
  }

  #check(operation: "write" | "sync" | "rename" | "open", path: string): void {
    this.operations++;
    const fault = this.fault(operation, path);
    if (fault !== undefined) throw systemError(fault, operation);
  }
}

function resized(content: Buffer, length: number): Buffer {
  const next = Buffer.alloc(length);
  content.copy(next, 0, 0, Math.min(length, content.length));
  return next;
}

function survivor({ content, durable }: Inode, random: Random): Buffer {
  // The size is metadata: old or new.
  const length = random.float() < 0.5 ? content.length : durable.length;
  const result = resized(durable, length);
  const keepsAll = randomInt(random, 3);
  for (let start = 0; start < length; start += SECTOR_BYTES) {
    const kept = keepsAll === 0 ? false : keepsAll === 1 ? true : random.float() < 0.5;
    if (kept && start < content.length)
      content.copy(result, start, start, Math.min(start + SECTOR_BYTES, length));
  }
  return result;
}
