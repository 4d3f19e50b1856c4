// SPDX-License-Identifier: Apache-2.0
// Who else is registered under a root, for finding what an earlier life of an instance left behind.
// Names are read once: a sequential znode's identity does not change.
import { isZooKeeperError, joinPath, type ZooKeeperClient } from "@meerkat/client";
import type { InstanceCodec } from "./instance-codec.ts";

/** A member as scanned. */
export interface ScannedMember {
  readonly path: string;
  readonly czxid: bigint;
  readonly ephemeralOwner: bigint;
  readonly identity: string;
  readonly data: Buffer;
}

/** Reads in flight at once. */
const READS_MAX = 64;

/** Shared by all registrations of one root: those that ask while a scan runs share the next one. @internal */
export class MemberScan {
  readonly #client: ZooKeeperClient;
  readonly #root: string;
  readonly #codec: InstanceCodec;
  /** `undefined` for a child that is no member. */
  #known = new Map<string, ScannedMember | undefined>();
  #running: Promise<unknown> | undefined;
  #next: Promise<ReadonlyMap<string, ScannedMember | undefined>> | undefined;

  constructor(client: ZooKeeperClient, root: string, codec: InstanceCodec) {
    this.#client = client;
    this.#root = root;
    this.#codec = codec;
  }

  /**
   * All members as they are after the call began; none when there are more children than `childrenMax`,
   * which then costs one small request only. Rejects with the client's error.
   */
  async read(childrenMax: number = Number.POSITIVE_INFINITY): Promise<ScannedMember[]> {
    if (childrenMax !== Number.POSITIVE_INFINITY) {
      const stat = await this.#client.exists(this.#root);
      if (stat !== null && stat.numChildren > childrenMax) return [];
    }
    this.#next ??= this.#follow();
    const known = await this.#next;
    return [...known.values()].filter((member) => member !== undefined);
  }

  async #follow(): Promise<ReadonlyMap<string, ScannedMember | undefined>> {
    // Whoever comes before this starts running joins it; later ones get another.
    await this.#running?.catch(() => {});
    this.#next = undefined;
    const running = this.#scan();
    this.#running = running;
    return running;
  }

  async #scan(): Promise<ReadonlyMap<string, ScannedMember | undefined>> {
    const { children } = await this.#client.children(this.#root);
    const known = new Map<string, ScannedMember | undefined>();
    const unread: string[] = [];
    for (const name of children) {
      if (!this.#codec.isMember(name)) continue;
      const path = joinPath(this.#root, name);
      if (this.#known.has(path)) known.set(path, this.#known.get(path));
      else unread.push(path);
    }
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < unread.length) {
        const path = unread[next++]!;
        const member = await this.#read(path);
        if (member !== "gone") known.set(path, member);
      }
    };
    await Promise.all(Array.from({ length: Math.min(READS_MAX, unread.length) }, worker));
    this.#known = known;
    return known;
  }

  async #read(path: string): Promise<ScannedMember | undefined | "gone"> {
    try {
      const { data, stat } = await this.#client.get(path);
      const decoded = this.#codec.decode(path, data);
      if (decoded.kind !== "member") return undefined;
      const { czxid, ephemeralOwner } = stat;
      return { path, czxid, ephemeralOwner, identity: decoded.identity, data };
    } catch (error) {
      if (isZooKeeperError(error, "NO_NODE")) return "gone";
      if (isZooKeeperError(error, "NO_AUTH")) return undefined;
      throw error;
    }
  }
}
