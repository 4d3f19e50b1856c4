// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "./config-error.ts";

/** Files that a configuration names are read through this; relative paths are the reader's business. */
export type ReadConfigFile = (path: string) => Promise<Buffer>;

/** Reads a file that a key names; rejects with a `ConfigError` that names both. */
export async function readOrExplain(read: ReadConfigFile, key: string, path: string): Promise<Buffer> {
  try {
    return await read(path);
  } catch (error) {
    throw new ConfigError("UNREADABLE_FILE", key, `${key}=${path} cannot be read`, error);
  }
}
