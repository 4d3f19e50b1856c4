// SPDX-License-Identifier: Apache-2.0
// A registry for the commands that look at services or call them.
import { Registry, type RegistryOptions } from "@meerkat/governance";
import type { Command } from "commander";
import { type Connected, withClient } from "../connection.ts";
import type { Io } from "../io.ts";

/** A registry over the command's client. */
export interface ConnectedRegistry extends Connected {
  readonly registry: Registry;
}

/** Connects and has a registry for as long as `task` runs. */
export function withRegistry<T>(
  command: Command,
  io: Io,
  options: Pick<RegistryOptions, "root" | "codec">,
  task: (connected: ConnectedRegistry) => Promise<T>,
): Promise<T> {
  return withClient(command, io, async (connected) => {
    await using registry = new Registry(connected.client, options);
    return await task({ ...connected, registry });
  });
}
