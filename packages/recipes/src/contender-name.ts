// SPDX-License-Identifier: Apache-2.0
// How contenders for a lock or a leadership are named, by us and by others, and who stands before whom.
//
//   Curator  _c_<uuid>-lock-<n>  _c_<uuid>-__WRIT__<n>  _c_<uuid>-__READ__<n>  _c_<uuid>-latch-<n>
//   Kazoo    <hex>__lock__<n>    <hex>__rlock__<n>
//
// The server counts the children of one parent whatever their names, so all are ordered by `n` alone.
// Children with other names are no contenders.
import { type Random, randomUuid } from "@meerkat/runtime";
import { compareSequences } from "./sequence.ts";

/**
 * Whose names a lock uses. What decides is which others *see* it: Curator overlooks names of Kazoo, and
 * Kazoo those of Curator (unless it is told `extra_lock_patterns`). `both` makes a pair of znodes in one
 * step, one for each, and is right with all; the others save the second znode.
 */
export type LockLayout = "both" | "curator" | "kazoo";

/** As `LockLayout`, with Curator's two: `latch` (LeaderLatch) and `selector` (LeaderSelector). */
export type ElectionLayout = "both" | "latch" | "selector" | "kazoo";

/** What a contender wants: to be alone, or not to be together with one who wants that. */
export type ContenderKind = "exclusive" | "shared";

/** A contender's name, taken apart. */
export interface ContenderName {
  readonly name: string;
  /** Tells contenders apart: 32 hex digits; the whole name when there are none in it. */
  readonly id: string;
  readonly kind: ContenderKind;
  readonly sequence: number;
  /** Of a shared contender that was exclusive: its own number. `sequence` is the place it kept. */
  readonly subSequence: number | undefined;
}

const NUMBER = "(?:\\d{10}|-\\d{9,10})";
const EXCLUSIVE = new RegExp(`(?:lock-|latch-|__lock__|__WRIT__)(${NUMBER})$`);
const SHARED = new RegExp(`(?:__rlock__|__READ__)(${NUMBER})(${NUMBER})?$`);
const ID = /^(?:_c_)?([0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})/;

/** Takes a child's name apart; undefined when it is no contender. */
export function parseContender(name: string): ContenderName | undefined {
  const shared = SHARED.exec(name);
  const match = shared ?? EXCLUSIVE.exec(name);
  if (match === null) return undefined;
  return {
    name,
    id: ID.exec(name)?.[1]?.replaceAll("-", "") ?? name,
    kind: shared === null ? "exclusive" : "shared",
    sequence: Number(match[1]),
    subSequence: match[2] === undefined ? undefined : Number(match[2]),
  };
}

/** Order of arrival. One that stepped back from exclusive to shared keeps its place. */
export function compareContenders(a: ContenderName, b: ContenderName): number {
  const order = compareSequences(a.sequence, b.sequence);
  if (order !== 0) return order;
  if (a.subSequence === undefined) return b.subSequence === undefined ? 0 : -1;
  return b.subSequence === undefined ? 1 : compareSequences(a.subSequence, b.subSequence);
}

/**
 * The contenders among the names of children, first come first. Where one id has a shared znode, its
 * exclusive one is shared too: that is how a pair looks whose holder stepped back (Kazoo has no name for
 * it, so its half stays as it is).
 */
export function contendersOf(children: readonly string[]): ContenderName[] {
  const found = children.map(parseContender).filter((each) => each !== undefined);
  const sharedIds = new Set(found.filter((each) => each.kind === "shared").map((each) => each.id));
  return found
    .map((each): ContenderName => (sharedIds.has(each.id) ? { ...each, kind: "shared" } : each))
    .sort(compareContenders);
}

/**
 * The one that `own` must wait for: the nearest before it that is in its way. Watching only that one, not
 * the whole list, wakes one waiter for each release.
 */
export function blockerOf(
  contenders: readonly ContenderName[],
  own: { readonly id: string; readonly kind: ContenderKind },
): ContenderName | undefined {
  const place = contenders.findIndex((each) => each.id === own.id);
  for (let at = place - 1; at >= 0; at--) {
    const other = contenders[at];
    if (other !== undefined && (own.kind === "exclusive" || other.kind === "exclusive")) return other;
  }
  return undefined;
}

/** An id whose hex begins with f: names that Curator sorts as text then come after its numbers. */
export function contenderId(random: Random): string {
  return `f${randomUuid(random).slice(1)}`;
}

const kazooName = (id: string, suffix: string): string => `${id.replaceAll("-", "")}${suffix}`;

/** What a layout puts in front of the number; the first znode is the one that people see. */
export type ContenderNames = (id: string) => readonly string[];

const pair = (curator: string | undefined, kazoo: string | undefined): ContenderNames => {
  return (id) => [
    ...(curator === undefined ? [] : [`_c_${id}-${curator}`]),
    ...(kazoo === undefined ? [] : [kazooName(id, kazoo)]),
  ];
};

const curatorNames = { lock: "lock-", write: "__WRIT__", read: "__READ__" } as const;
const kazooNames = { lock: "__lock__", write: "__lock__", read: "__rlock__" } as const;

/** Names of a lock's contenders; `write` and `read` are those of a read-write lock. */
export function lockNames(layout: LockLayout, role: "lock" | "write" | "read"): ContenderNames {
  return pair(
    layout === "kazoo" ? undefined : curatorNames[role],
    layout === "curator" ? undefined : kazooNames[role],
  );
}

/** Names of an election's contenders. */
export function electionNames(layout: ElectionLayout): ContenderNames {
  const curator = { both: "latch-", latch: "latch-", selector: "lock-", kazoo: undefined }[layout];
  return pair(curator, layout === "both" || layout === "kazoo" ? "__lock__" : undefined);
}
