// SPDX-License-Identifier: Apache-2.0
import { randomInt, seededRandom } from "@meerkat/runtime";
import { describe, expect, test } from "vitest";
import {
  PACED_IN_FLIGHT_MIN,
  PAUSES_PER_TRIAL,
  type PipelineFigures,
  READ_PAUSE_MS,
  READ_PAUSE_SHARE,
  ReadPacer,
} from "./read-pacer.ts";

interface Chunk extends PipelineFigures {
  readonly bytes: number;
}

/** One reply alone, in a deep pipeline over a busy server. */
const thin: Chunk = { bytes: 180, replies: 1, writes: 0, inFlight: 255, roundTripMs: 20 };
/** What a pause gathers there. */
const gathered: Chunk = { bytes: 3_600, replies: 20, writes: 0, inFlight: 236, roundTripMs: 20 };

function pauses(pacer: ReadPacer, chunk: Chunk, times: number): number {
  let count = 0;
  for (let time = 0; time < times; time++) if (pacer.pauseAfter(chunk, chunk.bytes) > 0) count++;
  return count;
}

/** A pacer that has just asked for its first pause. */
function pacing(): ReadPacer {
  const pacer = new ReadPacer();
  for (let chunk = 0; pacer.pauseAfter(thin, thin.bytes) === 0; chunk++)
    expect(chunk).toBeLessThan(PACED_IN_FLIGHT_MIN);
  return pacer;
}

describe("reading is paused", () => {
  test("behind a reply alone, in a deep pipeline with a long round trip", () => {
    expect(pacing().pauseAfter(gathered, gathered.bytes)).toBe(READ_PAUSE_MS);
  });

  test("never in a shallow pipeline, however slow the server", () => {
    const shallow = { ...thin, inFlight: PACED_IN_FLIGHT_MIN - 2, roundTripMs: 500 };
    expect(pauses(new ReadPacer(), shallow, 10_000)).toBe(0);
  });

  test("never for a server that answers many requests, or many bytes, at a time", () => {
    expect(pauses(new ReadPacer(), gathered, 10_000)).toBe(0);
    expect(pauses(new ReadPacer(), { ...thin, bytes: 60_000 }, 10_000)).toBe(0);
  });

  test("never for a server that answers soon", () => {
    const soon = { ...thin, roundTripMs: READ_PAUSE_MS / READ_PAUSE_SHARE - 0.1 };
    expect(pauses(new ReadPacer(), soon, 10_000)).toBe(0);
  });

  test("never in a pipeline of writes, and only behind a pipeline full of reads when some are mixed in", () => {
    expect(pauses(new ReadPacer(), { ...thin, writes: 1 }, 10_000)).toBe(0);
    const pacer = pacing();
    expect(pacer.pauseAfter({ ...gathered, writes: 1 }, 3_600)).toBe(0);
    expect(pauses(pacer, thin, PACED_IN_FLIGHT_MIN - 1)).toBe(0);
    expect(pacer.pauseAfter(thin, thin.bytes)).toBe(READ_PAUSE_MS);
  });

  test("no longer when most of what was asked for came at once", () => {
    const pacer = pacing();
    expect(pacer.pauseAfter({ ...gathered, replies: 140, inFlight: 116 }, 24_000)).toBe(0);
    expect(pacer.pauseAfter(gathered, gathered.bytes)).toBe(0);
  });

  test("no longer when the pipeline has become shallow", () => {
    const pacer = pacing();
    expect(pacer.pauseAfter({ ...gathered, inFlight: 100 }, 3_600)).toBe(0);
    expect(pacer.pauseAfter(gathered, gathered.bytes)).toBe(0);
  });

  test("for a bounded number of times until it is tried without", () => {
    const pacer = pacing();
    expect(pauses(pacer, gathered, PAUSES_PER_TRIAL - 1)).toBe(PAUSES_PER_TRIAL - 1);
    // The chunk behind the last pause, and the one that is read without.
    expect(pacer.pauseAfter(gathered, gathered.bytes)).toBe(0);
    expect(pacer.pauseAfter(thin, thin.bytes)).toBe(READ_PAUSE_MS);
    expect(pauses(pacer, gathered, 10_000)).toBe(PAUSES_PER_TRIAL - 1);
  });

  test("ever more rarely when nothing gathers meanwhile", () => {
    const pacer = pacing();
    expect(pauses(pacer, thin, 10_000)).toBeLessThan(30);
    // One that gathers shows that pauses are of use again.
    while (pacer.pauseAfter(thin, thin.bytes) === 0);
    expect(pauses(pacer, gathered, PAUSES_PER_TRIAL)).toBe(PAUSES_PER_TRIAL - 1);
  });

  test("for a small share of the round trip at most, whatever arrives", () => {
    const random = seededRandom(7);
    const upTo = (max: number): number => randomInt(random, max);
    const pacer = new ReadPacer();
    let count = 0;
    for (let chunk = 0; chunk < 50_000; chunk++) {
      const figures = {
        replies: upTo(30),
        writes: upTo(300) === 0 ? 1 : 0,
        inFlight: upTo(600),
        roundTripMs: upTo(10),
      };
      const pauseMs = pacer.pauseAfter(figures, upTo(8_000));
      if (pauseMs === 0) continue;
      count++;
      expect(pauseMs).toBeLessThanOrEqual(Math.min(READ_PAUSE_MS, pacer.roundTripMs * READ_PAUSE_SHARE));
    }
    expect(count).toBeGreaterThan(100);
  });

  test("by replies alone: events and pings neither start nor end a pause", () => {
    const pacer = pacing();
    expect(pacer.pauseAfter({ ...thin, replies: 0, roundTripMs: 9_999 }, 60)).toBe(0);
    expect(pacer.roundTripMs).toBeLessThan(20);
    expect(pacer.pauseAfter(gathered, gathered.bytes)).toBe(READ_PAUSE_MS);
  });
});
