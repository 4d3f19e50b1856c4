// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";

/** Where the seed's servers register. */
export const DEFAULT_ROOT = "/rpc";

/** Adds `--root`. */
export function addRootOption(command: Command): Command {
  return command.option("--root <path>", "the znode that servers register under", DEFAULT_ROOT);
}
