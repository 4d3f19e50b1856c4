// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";

/** Where the seed's servers register. */
export const DEFAULT_ROOT = "/rpc";

/** Adds `--root`: the service that is named after its last segment. All others are below /services. */
export function addRootOption(command: Command): Command {
  return command.option("--root <path>", "root of the default service", DEFAULT_ROOT);
}
