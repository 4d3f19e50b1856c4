// SPDX-License-Identifier: Apache-2.0
// The real files, over node:fs with callbacks (its promise handles cost more per call).
import fs from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";
import type { FileStore, OpenFile, OpenMode } from "../files.ts";

/** Attempts to take a lock whose stale holder is cleared away by others at the same time. */
const LOCK_ATTEMPTS_MAX = 5;

/** Calls a function of node:fs that ends in a callback. */
function settled<T>(
  run: (done: (error: NodeJS.ErrnoException | null, value?: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => {
      if (error) reject(error);
      else resolve(value as T);
    });
  });
}

const { O_CREAT, O_RDONLY, O_RDWR, O_TRUNC } = fs.constants;
/** Missing on Windows. */
const O_DSYNC: number | undefined = fs.constants.O_DSYNC;
const modeFlags: Record<OpenMode, number> = {
  read: O_RDONLY,
  modify: O_RDWR,
  create: O_RDWR | O_CREAT | O_TRUNC,
};

class SystemFile implements OpenFile {
  readonly path: string;
  readonly #descriptor: number;
  /** Call fdatasync after each write, because the descriptor does not do it by itself. */
  readonly #syncsAfterWrite: boolean;
  #closed: Promise<void> | undefined;

  constructor(path: string, descriptor: number, syncsAfterWrite: boolean) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#syncsAfterWrite = syncsAfterWrite;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const offset = written;
      // The system may take a part only, for instance when the disk fills up; the rest then says why.
      written += await settled<number>((done) =>
        fs.write(this.#descriptor, bytes, offset, bytes.length - offset, position + offset, done),
      );
    }
    if (this.#syncsAfterWrite) await this.dataSync();
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const offset = filled;
      const count = await settled<number>((done) =>
        fs.read(this.#descriptor, into, offset, into.length - offset, position + offset, done),
      );
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  dataSync(): Promise<void> {
    return settled((done) => fs.fdatasync(this.#descriptor, done));
  }

  truncate(length: number): Promise<void> {
    return settled((done) => fs.ftruncate(this.#descriptor, length, done));
  }

  async size(): Promise<number> {
    const stats = await settled<fs.Stats>((done) => fs.fstat(this.#descriptor, done));
    return stats.size;
  }

  close(): Promise<void> {
    this.#closed ??= settled((done) => fs.close(this.#descriptor, done));
    return this.#closed;
  }
}

/** The file system of the machine. */
export const systemFiles: FileStore = {
  async open(path, mode, options = {}) {
    const wantsSync = options.durableWrites === true;
    const flags = modeFlags[mode] | (wantsSync ? (O_DSYNC ?? 0) : 0);
    const descriptor = await settled<number>((done) => fs.open(path, flags, 0o644, done));
    return new SystemFile(path, descriptor, wantsSync && O_DSYNC === undefined);
  },
  list: (directory) => fs.promises.readdir(directory),
  async info(path) {
    const stats = await fs.promises.stat(path);
    return { bytes: stats.size, modifiedMs: stats.mtimeMs };
  },
  rename: (from, to) => fs.promises.rename(from, to),
  remove: (path) => fs.promises.rm(path, { force: true }),
  async makeDirectory(path) {
    await fs.promises.mkdir(path, { recursive: true });
  },
  async syncDirectory(directory) {
    // Windows cannot open directories; its file systems journal names by themselves.
    if (process.platform === "win32") return;
    const handle = await fs.promises.open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  lock: lockFile,
};

/** Who holds a lock: the process id alone is not enough, since ids are reused (in containers at once). */
interface LockHolder {
  readonly pid: number;
  /** Tells two processes with one id apart. */
  readonly born: string;
}

async function lockFile(path: string): Promise<(() => Promise<void>) | undefined> {
  const own = JSON.stringify({
    pid: process.pid,
    born: (await birthOf(process.pid)) ?? "",
  } satisfies LockHolder);
  for (let attempt = 0; attempt < LOCK_ATTEMPTS_MAX; attempt++) {
    try {
      // One synchronous step, so that hardly a moment passes in which others see an empty lock.
      fs.writeFileSync(path, own, { flag: "wx" });
      return () => systemFiles.remove(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const found = await fs.promises.readFile(path, "utf8").catch(() => undefined);
    if (found === undefined) continue;
    if (await isAlive(found)) return undefined;
    removeStale(path, found);
  }
  return undefined;
}

/**
 * Removes a dead holder's lock, unless another taker was faster: then the lock in place is a living one.
 * So it is moved aside first, looked at, and put back when it is not the one that was found.
 */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    fs.renameSync(path, aside);
    if (fs.readFileSync(aside, "utf8") !== stale) fs.linkSync(aside, path);
  } catch (error) {
    // Gone already, or taken by a third: either way the next look decides.
    if (!["ENOENT", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
  fs.rmSync(aside, { force: true });
}

/** Whether the process that wrote the lock still runs. A lock cut short by a crash has no living holder. */
async function isAlive(lock: string): Promise<boolean> {
  let holder: LockHolder;
  try {
    holder = JSON.parse(lock) as LockHolder;
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
    return true;
  }
  const born = await birthOf(holder.pid);
  return born === undefined || born === holder.born;
}

/** When a process began: the kernel's figure on Linux, elsewhere known for this process only. */
async function birthOf(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const stat = await fs.promises.readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    // Field 22; the second one, the program's name in brackets, may hold spaces.
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    if (start !== undefined) return start;
  }
  return pid === process.pid ? String(performance.timeOrigin) : undefined;
}
