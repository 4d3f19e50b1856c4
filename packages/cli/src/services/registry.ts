// SPDX-License-Identifier: Apache-2.0
// Live servers by service, for the commands that look at a registry or call through it.
import { nodeName } from "@meerkat/client";
import {
  type Directory,
  type DirectoryStatus,
  type Endpoint,
  type EndpointSet,
  endpointDifference,
  ZooKeeperDirectory,
} from "@meerkat/governance";
import type { Command } from "commander";
import { withClient } from "../connection.ts";
import type { Io } from "../io.ts";

/** The service that an endpoint belongs to: what it says itself, else the name of the root. */
export function serviceOf(endpoint: Endpoint, root: string): string {
  const { service } = endpoint.metadata;
  return typeof service === "string" && service !== "" ? service : nodeName(root);
}

/** Opens the directory of a root, or of one service in it, for as long as `task` runs. */
export function withDirectory<T>(
  command: Command,
  io: Io,
  what: { readonly root: string; readonly service: string | undefined },
  task: (directory: Directory) => Promise<T>,
): Promise<T> {
  return withClient(command, io, async ({ client, settings }) => {
    await using directory = await ZooKeeperDirectory.open(client, {
      root: what.root,
      signal: io.signal,
      timeoutMs: settings.timeoutMs,
    });
    const { service } = what;
    if (service === undefined) return await task(directory);
    return await task(
      new FilteredDirectory(directory, (endpoint) => serviceOf(endpoint, what.root) === service),
    );
  });
}

/** Some endpoints of another directory, which stays its owner's. */
class FilteredDirectory implements Directory {
  readonly #inner: ZooKeeperDirectory;
  readonly #keep: (endpoint: Endpoint) => boolean;

  constructor(inner: ZooKeeperDirectory, keep: (endpoint: Endpoint) => boolean) {
    this.#inner = inner;
    this.#keep = keep;
  }

  snapshot(): EndpointSet {
    return this.#filter(this.#inner.snapshot());
  }

  onChange(listener: Parameters<Directory["onChange"]>[0]): () => void {
    return this.#inner.onChange((set, change) => {
      const kept = this.#filter(set);
      listener(kept, endpointDifference(this.#filter(change.previous), kept));
    });
  }

  async *changes(options?: Parameters<Directory["changes"]>[0]): ReturnType<Directory["changes"]> {
    for await (const change of this.#inner.changes(options)) {
      yield endpointDifference(this.#filter(change.previous), this.#filter(change.set));
    }
  }

  status(): DirectoryStatus {
    return this.#inner.status();
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  #filter(set: EndpointSet): EndpointSet {
    return { ...set, endpoints: set.endpoints.filter(this.#keep) };
  }
}
