// SPDX-License-Identifier: Apache-2.0
// The same sequences of requests, to the embedded server and to Apache ZooKeeper 3.8: every reply, every event
// and the tree that is left must be the same, but for the differences listed in docs/compatibility.md.
// `npm run differential -- --minutes N [--seed S]` plays new sequences for that long; a seed replays from there.
import { toolsAvailable } from "@meerkat/testkit";
import { ErrorCode, OpCode } from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import { compare, type Difference, describeDifference } from "./comparer.ts";
import { generateSequence } from "./generator.ts";
import { type Play, Player } from "./player.ts";
import type { Sequence } from "./sequence.ts";
import { startApache, startEmbedded } from "./servers.ts";
import { shrink } from "./shrinker.ts";

/** Set by `npm run differential`. */
const { DIFFERENTIAL_MINUTES, DIFFERENTIAL_SEED } = process.env;
const minutes = Number(DIFFERENTIAL_MINUTES ?? 0);
const firstSeed = Number(DIFFERENTIAL_SEED ?? (minutes > 0 ? Date.now() % 1_000_000_000 : 1));
/** Sequences in a run without a time. */
const SEQUENCES = 25;
const REPORT_INTERVAL_MS = 15_000;
/** Shrinking takes its own time. */
const TIMEOUT_MS = minutes * 60_000 + 300_000;

interface PlayedSequence {
  readonly plays: readonly [Play, Play];
  readonly difference: Difference | undefined;
}

async function playBoth(sequence: Sequence, left: Player, right: Player): Promise<PlayedSequence> {
  const plays = await Promise.all([left.play(sequence), right.play(sequence)]);
  return { plays, difference: compare(sequence, ...plays) };
}

/** How many replies and events a play has. */
function countOf(play: Play): { replies: number; events: number } {
  const all = play.steps.flatMap((outcome) => [...outcome.values()].flat());
  const count = (kind: string): number => all.filter((item) => item.kind === kind).length;
  return { replies: count("reply") + count("session"), events: count("event") };
}

/** The smallest sequence with a difference, and what it is. */
async function explain(sequence: Sequence, first: Difference, left: Player, right: Player): Promise<string> {
  const fails = async (candidate: Sequence): Promise<boolean> =>
    (await playBoth(candidate, left, right)).difference !== undefined;
  const smallest = await shrink(sequence, fails);
  const { difference } = await playBoth(smallest, left, right);
  if (difference !== undefined) return describeDifference(smallest, difference);
  return `Only once, not when it was played again: ${describeDifference(sequence, first)}`;
}

describe.skipIf(!toolsAvailable("comparison with Apache ZooKeeper", "java-zookeeper"))(
  "the embedded server",
  () => {
    it(`answers like Apache ZooKeeper (from seed ${firstSeed} on)`, { timeout: TIMEOUT_MS }, async () => {
      await using embedded = await startEmbedded();
      await using apache = await startApache();
      await using left = await Player.open(embedded);
      await using right = await Player.open(apache);
      const startMs = performance.now();
      const total = { sequences: 0, replies: 0, events: 0 };
      let reportMs = startMs;
      const isOver = (): boolean =>
        minutes > 0 ? performance.now() - startMs > minutes * 60_000 : total.sequences >= SEQUENCES;
      for (let seed = firstSeed; !isOver(); seed++) {
        const sequence = generateSequence(seed);
        const { plays, difference } = await playBoth(sequence, left, right);
        if (difference !== undefined) expect.fail(await explain(sequence, difference, left, right));
        const { replies, events } = countOf(plays[1]);
        total.sequences++;
        total.replies += replies;
        total.events += events;
        if (minutes > 0 && performance.now() - reportMs > REPORT_INTERVAL_MS) {
          reportMs = performance.now();
          console.log(`${JSON.stringify(total)} alike, up to seed ${seed}`);
        }
      }
      if (minutes > 0) console.log(`${JSON.stringify(total)} alike, from seed ${firstSeed} on`);
      // A run that compared next to nothing would prove nothing.
      expect(total.replies).toBeGreaterThan(total.sequences * 20);
      expect(total.events).toBeGreaterThan(total.sequences);
    });
  },
);

/** The same play, but what a setData with version 0 is answered is another error. */
function falsified(play: Play): Play {
  const steps = play.steps.map((outcome) => {
    const entries = [...outcome].map(([connection, observations]) => {
      const changed = observations.map((item) =>
        item.kind === "reply" && item.request.type === OpCode.setData && item.err === ErrorCode.BAD_VERSION
          ? { ...item, err: ErrorCode.NO_NODE }
          : item,
      );
      return [connection, changed] as const;
    });
    return new Map(entries);
  });
  return { ...play, steps };
}

describe("the comparison", () => {
  it("finds a server that answers one error for another, and shrinks the sequence to what shows it", async () => {
    await using server = await startEmbedded();
    await using player = await Player.open(server);
    const difference = async (sequence: Sequence): Promise<Difference | undefined> => {
      const play = await player.play(sequence);
      return compare(sequence, play, falsified(play));
    };
    const fails = async (sequence: Sequence): Promise<boolean> => (await difference(sequence)) !== undefined;
    let sequence = generateSequence(1);
    for (let seed = 2; !(await fails(sequence)); seed++) sequence = generateSequence(seed);
    const smallest = await shrink(sequence, fails);
    // A session, a znode, and the setData that its version refuses.
    expect(smallest.steps.length).toBeLessThanOrEqual(4);
    const found = (await difference(smallest)) as Difference;
    const description = describeDifference(smallest, found);
    expect(description).toContain(`seed ${sequence.seed}`);
    expect(description).toContain("setData");
    expect(JSON.stringify(found.embedded)).toContain(String(ErrorCode.BAD_VERSION));
  });

  it("finds an event that comes too late, and a tree that is not the same", async () => {
    await using server = await startEmbedded();
    await using player = await Player.open(server);
    let sequence = generateSequence(1);
    let play = await player.play(sequence);
    const hasEventBeforeReply = (): boolean =>
      play.steps.some((outcome) =>
        [...outcome.values()].some((list) => list[0]?.kind === "event" && list[1]?.kind === "reply"),
      );
    for (let seed = 2; !hasEventBeforeReply(); seed++) {
      sequence = generateSequence(seed);
      play = await player.play(sequence);
    }
    const steps = play.steps.map((outcome) => {
      const entries = [...outcome].map(([connection, list]) => {
        const [first, second, ...rest] = list;
        const swaps = first?.kind === "event" && second?.kind === "reply";
        return [connection, swaps ? [second, first, ...rest] : list] as const;
      });
      return new Map(entries);
    });
    expect(compare(sequence, play, play)).toBeUndefined();
    expect(compare(sequence, { ...play, steps }, play)).toBeDefined();
    expect(compare(sequence, { ...play, tree: {} }, play)?.step).toBe(sequence.steps.length);
  });
});
