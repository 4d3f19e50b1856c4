// SPDX-License-Identifier: Apache-2.0
import { type CallOptions, joinPath, nodeName, type ZooKeeperClient } from "@meerkat/client";
import { InvalidArgumentError, type Runtime, randomUuid, resolveRuntime } from "@meerkat/runtime";
import { ChildrenCache } from "../caches/caches.ts";
import { orAbsent } from "../reread.ts";
import type { WaitOptions } from "../wait-scope.ts";
import { PersistentNode } from "./persistent-node.ts";

/**
 * How members lie in the tree:
 * - `party`: Kazoo's Party: children `<hex>__party__`, the identifier is the data.
 * - `shallow`: Kazoo's ShallowParty: children `<hex>-<identifier>`, so that one request lists all.
 * - `member`: Curator's GroupMember: the child's name is the identifier, its data are free. An identifier is
 *   there once: who comes second joins when the first has gone.
 */
export type PartyLayout = "party" | "shallow" | "member";

/** Options of a party. */
export interface PartyOptions {
  /** What others know this member by. Default a random UUID. */
  readonly identifier?: string | undefined;
  /** Default `party`. */
  readonly layout?: PartyLayout | undefined;
  /** Data of the member; only for the layout `member`. */
  readonly data?: Uint8Array | string | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

/** Someone in a party. */
export interface PartyMember {
  readonly identifier: string;
  /** Path of its znode. */
  readonly path: string;
  /** Its data. In the layout `party` they are the identifier. */
  readonly data: Buffer;
}

const PARTY_MARK = "__party__";

/**
 * A group whose members are there for as long as they live: each is an ephemeral znode that is kept over
 * lost connections and sessions until `leave`.
 */
export class Party implements AsyncDisposable {
  readonly path: string;
  readonly identifier: string;
  readonly layout: PartyLayout;
  readonly #client: ZooKeeperClient;
  readonly #runtime: Runtime;
  readonly #data: Uint8Array | string;
  #member: PersistentNode | undefined;

  /** Throws `InvalidArgumentError`. */
  constructor(client: ZooKeeperClient, path: string, options: PartyOptions = {}) {
    this.#client = client;
    this.path = path;
    this.#runtime = resolveRuntime(options.runtime);
    this.identifier = options.identifier ?? randomUuid(this.#runtime.random);
    this.layout = options.layout ?? "party";
    if (this.layout !== "party" && (this.identifier === "" || this.identifier.includes("/"))) {
      throw new InvalidArgumentError(
        "identifier",
        `the identifier is part of a znode's name, so it must not be empty nor hold a slash: ${JSON.stringify(this.identifier)}`,
      );
    }
    if (options.data !== undefined && this.layout !== "member") {
      throw new InvalidArgumentError(
        "data",
        "only the layout member has data; elsewhere they are the identifier",
      );
    }
    this.#data = options.data ?? (this.layout === "member" ? "" : this.identifier);
  }

  /** The znode of this member while it takes part. */
  get member(): PersistentNode | undefined {
    return this.#member;
  }

  /** Resolves when this member is in. Rejects with `TIMEOUT` or `ABORTED` and is then out again. */
  async join(options: WaitOptions = {}): Promise<void> {
    this.#member ??= new PersistentNode(this.#client, joinPath(this.path, this.#name()), {
      data: this.#data,
      runtime: this.#runtime,
    });
    try {
      await this.#member.ready(options);
    } catch (error) {
      await this.leave();
      throw error;
    }
  }

  /** Resolves when this member is out. Does nothing when it is not in. */
  async leave(): Promise<void> {
    const member = this.#member;
    this.#member = undefined;
    await member?.close();
  }

  /** All present members, by identifier. */
  async members(options: CallOptions = {}): Promise<PartyMember[]> {
    const listed = await orAbsent(this.#client.children(this.path, options));
    const names = (listed?.children ?? []).filter((name) => this.#isMember(name));
    const members = await Promise.all(
      names.map(async (name) => {
        const path = joinPath(this.path, name);
        const found = await orAbsent(this.#client.get(path, options));
        return found === undefined ? undefined : this.#memberAt(path, found.data);
      }),
    );
    return inOrder(members.filter((member) => member !== undefined));
  }

  /** The present members and, after every change that the reader has time for, those then present. */
  async *watch(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<PartyMember[]> {
    const { signal } = options;
    let cache: ChildrenCache;
    try {
      cache = await ChildrenCache.open(this.#client, this.path, { runtime: this.#runtime, signal });
    } catch (error) {
      if (signal?.aborted === true) return;
      throw error;
    }
    try {
      for await (const { synced } of cache.changes({ signal })) {
        if (synced) yield this.membersIn(cache);
      }
    } finally {
      await cache.close();
    }
  }

  /** The members that a cache of the party's path holds. @internal */
  membersIn(cache: ChildrenCache): PartyMember[] {
    const members: PartyMember[] = [];
    for (const name of cache.names) {
      const node = this.#isMember(name) ? cache.get(name) : undefined;
      if (node !== undefined) members.push(this.#memberAt(node.path, node.data));
    }
    return inOrder(members);
  }

  /** The same as `leave`. */
  close(): Promise<void> {
    return this.leave();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  #name(): string {
    if (this.layout === "member") return this.identifier;
    const id = randomUuid(this.#runtime.random).replaceAll("-", "");
    return this.layout === "party" ? `${id}${PARTY_MARK}` : `${id}-${this.identifier}`;
  }

  #isMember(name: string): boolean {
    return this.layout !== "party" || name.includes(PARTY_MARK);
  }

  #memberAt(path: string, data: Buffer): PartyMember {
    const name = nodeName(path);
    if (this.layout === "party") return { identifier: data.toString(), path, data };
    return { identifier: this.layout === "member" ? name : name.slice(name.indexOf("-") + 1), path, data };
  }
}

function inOrder(members: PartyMember[]): PartyMember[] {
  return members.sort((a, b) => compareText(a.identifier, b.identifier) || compareText(a.path, b.path));
}

/** By code points, as Python sorts. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
