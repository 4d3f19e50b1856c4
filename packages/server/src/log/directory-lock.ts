// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import type { FileStore } from "@meerkat/runtime";
import { StorageError } from "./storage-error.ts";

/** Name of the lock in each directory. */
const LOCK_NAME = "meerkat.lock";

/**
 * Takes the locks of a server's directories, all or none; resolves with their release. Rejects with
 * `DIRECTORY_LOCKED` when a living process holds one.
 */
export async function lockDirectories(
  files: FileStore,
  directories: readonly string[],
): Promise<() => Promise<void>> {
  const releases: (() => Promise<void>)[] = [];
  const releaseAll = async (): Promise<void> => {
    for (const release of releases.splice(0)) await release();
  };
  try {
    for (const directory of directories) {
      const path = join(directory, LOCK_NAME);
      const release = await files.lock(path);
      if (release === undefined) {
        throw new StorageError(
          "DIRECTORY_LOCKED",
          `${directory} is in use by another server (${path}); stop it or choose another dataDir`,
          { path: directory },
        );
      }
      releases.push(release);
    }
  } catch (error) {
    await releaseAll();
    throw error;
  }
  return releaseAll;
}
