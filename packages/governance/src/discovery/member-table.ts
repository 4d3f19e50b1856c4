// SPDX-License-Identifier: Apache-2.0
// The members under one root as last read, and the set of endpoints that follows from them. Pure: no
// ZooKeeper, no time. Work on a change is in proportion to the change, but for one copy of the list.
import {
  type DirectoryChange,
  type Endpoint,
  type EndpointSet,
  endpointKey,
  sameEndpoint,
} from "../endpoint.ts";
import type { DecodedMember } from "../registry/instance-codec.ts";

interface Member {
  readonly path: string;
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly endpoints: readonly Endpoint[];
  /** Why it could not be understood. */
  readonly problem: string | undefined;
  /** Set for one that weighs others. */
  readonly factorOf: ((endpoint: Endpoint) => number) | undefined;
}

/** One endpoint as claimed by one member. */
interface Claim {
  readonly member: Member;
  readonly endpoint: Endpoint;
}

/** See the head of the file. */
export class MemberTable {
  readonly #members = new Map<string, Member>();
  readonly #claims = new Map<string, Claim[]>();
  /** What `take` last gave out, in order of appearance. */
  readonly #published = new Map<string, Endpoint>();
  readonly #touched = new Set<string>();
  /** Members that weigh others. */
  readonly #weighing = new Set<Member>();
  #bad = 0;

  /** Znodes known, whatever they are. */
  get size(): number {
    return this.#members.size;
  }

  /** Children that were meant to be instances but could not be understood. */
  get bad(): number {
    return this.#bad;
  }

  /** How many of these endpoints are claimed by no member any more. */
  missing(endpoints: readonly Endpoint[]): number {
    let count = 0;
    for (const endpoint of endpoints) if (!this.#claims.has(endpointKey(endpoint))) count++;
    return count;
  }

  paths(): IterableIterator<string> {
    return this.#members.keys();
  }

  has(path: string): boolean {
    return this.#members.has(path);
  }

  /** Whether exactly this state of the znode was read before. */
  isCurrent(path: string, stat: { readonly czxid: bigint; readonly mzxid: bigint }): boolean {
    const member = this.#members.get(path);
    return member !== undefined && member.czxid === stat.czxid && member.mzxid === stat.mzxid;
  }

  /** Takes over what was read of a znode. Gives the reason when it is newly found to be bad. */
  put(
    path: string,
    stat: { readonly czxid: bigint; readonly mzxid: bigint },
    decoded: DecodedMember,
  ): string | undefined {
    this.remove(path);
    const { czxid, mzxid } = stat;
    const endpoints = decoded.kind === "member" ? decoded.endpoints : [];
    const problem = decoded.kind === "bad" ? decoded.reason : undefined;
    const factorOf =
      decoded.kind === "weights" ? (endpoint: Endpoint) => decoded.factorOf(endpoint) : undefined;
    const member: Member = { path, czxid, mzxid, endpoints, problem, factorOf };
    if (factorOf !== undefined) this.#weigh(() => this.#weighing.add(member));
    this.#members.set(path, member);
    if (problem !== undefined) this.#bad++;
    for (const endpoint of endpoints) {
      const key = endpointKey(endpoint);
      const claims = this.#claims.get(key);
      if (claims === undefined) this.#claims.set(key, [{ member, endpoint }]);
      else claims.push({ member, endpoint });
      this.#touched.add(key);
    }
    return problem;
  }

  /** Forgets a znode. */
  remove(path: string): void {
    const member = this.#members.get(path);
    if (member === undefined) return;
    this.#members.delete(path);
    if (member.problem !== undefined) this.#bad--;
    if (member.factorOf !== undefined) this.#weigh(() => this.#weighing.delete(member));
    for (const endpoint of member.endpoints) {
      const key = endpointKey(endpoint);
      const left = (this.#claims.get(key) ?? []).filter((claim) => claim.member !== member);
      if (left.length === 0) this.#claims.delete(key);
      else this.#claims.set(key, left);
      this.#touched.add(key);
    }
  }

  /** Starts from a set that was kept from before, so that the next `take` tells the difference to it. */
  seed(set: EndpointSet): void {
    for (const endpoint of set.endpoints) {
      const key = endpointKey(endpoint);
      this.#published.set(key, endpoint);
      this.#touched.add(key);
    }
  }

  /**
   * The difference since the last `take`, or undefined when there is none. Two znodes with one address
   * are one endpoint, said by the younger of them: the other is what a restarted server left behind.
   * `hold` keeps the endpoints that nobody claims any more, until a later call without it.
   */
  take(previous: EndpointSet, stale: boolean, hold: boolean = false): DirectoryChange | undefined {
    const added: Endpoint[] = [];
    const removed: Endpoint[] = [];
    const changed: Endpoint[] = [];
    const held: string[] = [];
    for (const key of this.#touched) {
      const before = this.#published.get(key);
      const after = this.#weighed(youngest(this.#claims.get(key)));
      if (after === undefined) {
        if (before === undefined) continue;
        if (hold) {
          held.push(key);
        } else {
          removed.push(before);
          this.#published.delete(key);
        }
        continue;
      }
      if (before === undefined) added.push(after);
      else if (!sameEndpoint(before, after)) changed.push(after);
      else continue;
      this.#published.set(key, after);
    }
    this.#touched.clear();
    for (const key of held) this.#touched.add(key);
    const same = added.length + removed.length + changed.length === 0;
    if (same && previous.stale === stale && previous.version > 0) return undefined;
    const endpoints = same ? previous.endpoints : Object.freeze([...this.#published.values()]);
    const set: EndpointSet = Object.freeze({ version: previous.version + 1, endpoints, stale });
    return { added, removed, changed, set, previous };
  }

  /** Changes who weighs others: any endpoint's weight may then be another. */
  #weigh(change: () => void): void {
    change();
    for (const key of this.#claims.keys()) this.#touched.add(key);
  }

  /** The endpoint with its weight times all factors; undefined when one of them hides it. */
  #weighed(endpoint: Endpoint | undefined): Endpoint | undefined {
    if (endpoint === undefined || this.#weighing.size === 0) return endpoint;
    let weight = endpoint.weight;
    for (const { factorOf } of this.#weighing) {
      const factor = factorOf?.(endpoint) ?? 1;
      if (factor < 0) return undefined;
      weight *= factor;
    }
    // Factors that multiply beyond all numbers must not take a server away.
    if (weight === endpoint.weight || !Number.isFinite(weight)) return endpoint;
    return Object.freeze({ ...endpoint, weight });
  }
}

function youngest(claims: readonly Claim[] | undefined): Endpoint | undefined {
  let best: Claim | undefined;
  for (const claim of claims ?? []) {
    if (best === undefined || claim.member.czxid > best.member.czxid) best = claim;
  }
  return best?.endpoint;
}
