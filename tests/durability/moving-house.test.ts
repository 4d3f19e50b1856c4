// SPDX-License-Identifier: Apache-2.0
// 100,000 znodes move between the embedded server and Apache ZooKeeper with their directory, both ways:
// nothing may look different to a client, and sessions and sequences go on where they were.
import { EmbeddedServer } from "@meerkat/server";
import { type RealZooKeeper, scratchDir, startRealZooKeeper, toolsAvailable } from "@meerkat/testkit";
import { describe, expect, it } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { dumpServer, type SeenZnode } from "./support/dump-server.ts";
import { fillTree, type LeftSession } from "./support/fill-tree.ts";

const ZNODES = 100_000;
const TICK_TIME_MS = 2000;
const available = toolsAvailable("moving house", "java-zookeeper");

interface Address {
  readonly host: string;
  readonly port: number;
}

function startEmbedded(dataDir: string): Promise<EmbeddedServer> {
  return EmbeddedServer.start({ dataDir, tickTimeMs: TICK_TIME_MS, extendedTypes: true, snapCount: 30_000 });
}

function startReal(dataDir: string): Promise<RealZooKeeper> {
  return startRealZooKeeper({
    dataDirs: [dataDir],
    tickTimeMs: TICK_TIME_MS,
    systemProperties: { "zookeeper.extendedTypesEnabled": "true", "zookeeper.snapCount": "30000" },
    jvmFlags: ["-Xmx512m", "-XX:+UseSerialGC"],
  });
}

/** Compares line by line: the usual comparison of so many objects takes longer than the move. */
function expectSame(found: readonly SeenZnode[], expected: readonly SeenZnode[]): void {
  expect(found.length).toBe(expected.length);
  for (const [index, znode] of expected.entries()) {
    const other = found[index] as SeenZnode;
    if (JSON.stringify(other) !== JSON.stringify(znode)) expect(other).toEqual(znode);
  }
}

/** Clients come back to their sessions, end one, and go on counting. */
async function livesOn(
  address: Address,
  sessions: readonly LeftSession[],
  nextSuffix: string,
): Promise<void> {
  for (const [index, { id, password }] of sessions.entries()) {
    const client = await RawClient.connect(address, { sessionId: id, password, timeoutMs: 40_000 });
    expect(client.session?.sessionId, "a session from before the move").toBe(id);
    if (index === 0) await client.close();
    else client.destroy();
  }
  const client = await RawClient.connect(address);
  expect(await client.create("/house/room-0/thing-", null, 2)).toBe(`/house/room-0/thing-${nextSuffix}`);
  await client.close();
}

function suffixAfter(znodes: readonly SeenZnode[]): string {
  const parent = "/house/room-0";
  const children = znodes.filter(({ path }) => path.startsWith(`${parent}/`)).length;
  return String(children).padStart(10, "0");
}

describe.skipIf(!available)("moving house", { timeout: 240_000 }, () => {
  it("from the embedded server to Apache ZooKeeper and back keeps every znode", async () => {
    await using scratch = await scratchDir();
    const embedded = await startEmbedded(scratch.path);
    const sessions = await fillTree(embedded, ZNODES);
    const before = await dumpServer(embedded);
    expect(before.length).toBeGreaterThan(ZNODES);
    await embedded.close();

    const real = await startReal(scratch.path);
    const [member] = real.members;
    if (member === undefined) throw new Error("no member");
    expectSame(await dumpServer(member), before);
    expect(await member.fourLetterWord("mntr")).toMatch(/^zk_digest_mismatches_count\t0$/m);
    await livesOn(member, sessions, suffixAfter(before));
    const moved = await dumpServer(member);
    expect(moved.length).toBe(before.length - 20 + 1);
    await member.kill();

    await using back = await startEmbedded(scratch.path);
    expectSame(await dumpServer(back), moved);
    await livesOn(back, sessions.slice(1), suffixAfter(moved));
    await real.stop();
  });

  it("from Apache ZooKeeper to the embedded server keeps every znode", async () => {
    await using scratch = await scratchDir();
    await using real = await startReal(scratch.path);
    const [member] = real.members;
    if (member === undefined) throw new Error("no member");
    const sessions = await fillTree(member, ZNODES);
    const before = await dumpServer(member);
    expect(before.length).toBeGreaterThan(ZNODES);
    await member.kill();

    await using embedded = await startEmbedded(scratch.path);
    expectSame(await dumpServer(embedded), before);
    await livesOn(embedded, sessions, suffixAfter(before));
  });
});
