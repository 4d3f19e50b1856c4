// SPDX-License-Identifier: Apache-2.0
// A server that is killed under load at random moments, again and again, over one directory: no write that
// was acknowledged is lost, none is invented, none counts twice. `MEERKAT_KILL_ROUNDS` sets the number of
// kills (10), `MEERKAT_KILL_SEED` the random moments.
import { fileURLToPath } from "node:url";
import { randomInt, seededRandom } from "@meerkat/runtime";
import { awaitCondition, type Program, runProgram, scratchDir } from "@meerkat/testkit";
import { describe, expect, it } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { dumpServer, type SeenZnode } from "./support/dump-server.ts";
import { LoadWriter, prepareWriter, WriterRecord, writerRoot } from "./support/load-writer.ts";

const SERVER = fileURLToPath(new URL("./support/server-process.mjs", import.meta.url));
const { MEERKAT_KILL_ROUNDS = "10", MEERKAT_KILL_SEED = String(process.pid) } = process.env;
const ROUNDS = Number(MEERKAT_KILL_ROUNDS);
const SEED = Number(MEERKAT_KILL_SEED);
const WRITERS = 4;
/** So few that a snapshot is being written or logs are being purged at many of the kills. */
const SNAP_COUNT = 400;
/** Replies after which the server is killed, at most. */
const REPLIES_MAX = 2500;

async function startServer(dataDir: string): Promise<{ program: Program; host: string; port: number }> {
  const program = runProgram(process.execPath, { args: [SERVER, dataDir, String(SNAP_COUNT)] });
  const port = Number(await program.line());
  return { program, host: "127.0.0.1", port };
}

function numberIn(stat: string, field: string): number {
  return Number(new RegExp(`\\b${field}=(\\d+)`).exec(stat)?.[1]);
}

/** Checks what one writer finds against what it knows. */
function check(record: WriterRecord, index: number, found: ReadonlyMap<string, SeenZnode>): void {
  const root = writerRoot(index);
  const names = (folder: string): string[] =>
    [...found.keys()].filter((path) => path.startsWith(`${root}/${folder}/`));
  const { sets } = record;
  const register = found.get(`${root}/register`) as SeenZnode;
  const version = numberIn(register.stat, "version");
  expect(Buffer.from(register.data ?? "", "hex").toString() || "0").toBe(String(version));
  expect(version).toBeGreaterThanOrEqual(sets.acknowledged);
  expect(version).toBeLessThanOrEqual(sets.sent);
  const sequential = names("seq");
  for (const path of record.sequential) expect(found.has(path), `${path} was acknowledged`).toBe(true);
  expect(sequential.length).toBeLessThanOrEqual(record.sequentialSent);
  // The parent counts creates and the suffixes count with it, so none is lost or repeated in between.
  expect(numberIn((found.get(`${root}/seq`) as SeenZnode).stat, "cversion")).toBe(sequential.length);
  expect(sequential.sort().at(-1)?.slice(-10)).toBe(String(sequential.length - 1).padStart(10, "0"));
  for (let pair = 1; pair <= record.pairsSent; pair++) {
    const halves = ["a", "b"].filter((half) => found.has(`${root}/pairs/${pair}-${half}`)).length;
    expect(halves === 2 || (halves === 0 && !record.pairs.has(pair)), `pair ${pair}: ${halves} of 2`).toBe(
      true,
    );
  }
  expect(names("pairs").length).toBeLessThanOrEqual(record.pairsSent * 2);
  for (const [path, owner] of record.ephemerals) {
    expect(found.get(path)?.stat, `${path} of a living session`).toContain(`ephemeralOwner=${owner} `);
  }
}

/** What came through although nobody was told: from now on it counts as if it had been acknowledged. */
function settle(record: WriterRecord, index: number, found: ReadonlyMap<string, SeenZnode>): void {
  const root = writerRoot(index);
  const version = numberIn((found.get(`${root}/register`) as SeenZnode).stat, "version");
  record.sets = { sent: version, acknowledged: version };
  for (const path of found.keys()) if (path.startsWith(`${root}/seq/`)) record.sequential.add(path);
  record.sequentialSent = record.sequential.size;
  for (let pair = 1; pair <= record.pairsSent; pair++) {
    if (found.has(`${root}/pairs/${pair}-a`)) record.pairs.add(pair);
  }
}

describe("a server killed under load", () => {
  it(`loses nothing in ${ROUNDS} kills`, { timeout: 30_000 + ROUNDS * 15_000 }, async () => {
    const random = seededRandom(SEED);
    await using scratch = await scratchDir();
    const records = Array.from({ length: WRITERS }, () => new WriterRecord());
    let running = await startServer(scratch.path);
    try {
      for (let index = 0; index < WRITERS; index++) await prepareWriter(running, index);
      for (let round = 1; round <= ROUNDS; round++) {
        const writers: LoadWriter[] = [];
        for (const [index, record] of records.entries()) {
          writers.push(await LoadWriter.open(running, record, index));
        }
        const killAfter = 1 + randomInt(random, REPLIES_MAX);
        const { program } = running;
        await awaitCondition(
          () => {
            for (const writer of writers) writer.step();
            return writers.reduce((sum, writer) => sum + writer.acknowledged, 0) >= killAfter;
          },
          { timeoutMs: 20_000, describe: `${killAfter} replies` },
        );
        process.kill(program.pid, "SIGKILL");
        await program.exited;
        // Replies that were on their way count.
        await awaitCondition(() => writers.every((writer) => writer.ended));
        for (const writer of writers) writer.step();
        running = await startServer(scratch.path);
        const context = `seed ${SEED}, round ${round}`;
        const found = new Map((await dumpServer(running)).map((znode) => [znode.path, znode]));
        for (const [index, record] of records.entries()) {
          try {
            check(record, index, found);
          } catch (error) {
            throw new Error(`${context}, writer ${index}: ${String(error)}`, { cause: error });
          }
          settle(record, index, found);
          await resumeAndEndSessions(running, record);
        }
      }
    } finally {
      process.kill(running.program.pid, "SIGTERM");
      await running.program.exited;
    }
  });
});

/** Every session that was granted is still there with its password; it is ended, and its ephemerals go. */
async function resumeAndEndSessions(
  address: { readonly host: string; readonly port: number },
  record: WriterRecord,
): Promise<void> {
  for (const { id, password } of record.sessions) {
    const client = await RawClient.connect(address, {
      sessionId: id,
      password,
      lastZxidSeen: record.zxidSeen,
      timeoutMs: 40_000,
    });
    expect(client.session?.sessionId, "a session that was granted, by a client that saw the last zxid").toBe(
      id,
    );
    await client.close();
  }
  record.sessions.length = 0;
  record.ephemerals.clear();
}
