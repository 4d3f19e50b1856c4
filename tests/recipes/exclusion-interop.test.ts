// SPDX-License-Identifier: Apache-2.0
// Processes of Kazoo and of Curator contend with ours for the same lock, semaphore and leadership.
import type { ZooKeeperClient } from "@meerkat/client";
import {
  type Hold,
  LeaderElection,
  Lock,
  ReadWriteLock,
  RevocableLock,
  requestRevocation,
  Semaphore,
} from "@meerkat/recipes";
import { awaitCondition, type ScratchDir, toolsAvailable } from "@meerkat/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeEachZooKeeper, type ZooKeeperUnderTest } from "../support/zookeepers.ts";
import { aborted, awaitCount, awaitEmpty, clients, failure, names } from "./exclusion-support.ts";
import { compileJava, Peer } from "./peers.ts";

/** What ours and a peer's kind of turn are called, and how many may be in at a time. */
interface Pairing {
  readonly peerKind: string;
  readonly ours: string;
  readonly acquire: (client: ZooKeeperClient, options?: { timeoutMs?: number }) => Promise<Hold>;
  readonly atMost?: number;
  readonly shared?: boolean;
  /** False where the peer by itself comes to a standstill. */
  readonly turns?: boolean;
}

const ROUNDS = 12;

/** As the peers' `hammer`. */
async function hammer(client: ZooKeeperClient, pairing: Pairing, rounds: number): Promise<number> {
  const { acquire, atMost = 1, shared = false } = pairing;
  let violations = 0;
  for (let round = 0; round < rounds; round++) {
    await using hold = await acquire(client, { timeoutMs: 50_000 });
    const mark = await client.create(shared ? "/inside/r-" : "/inside/x-", null, {
      mode: "ephemeralSequential",
    });
    const { children } = await client.children("/inside");
    const fits = shared ? children.every((name) => name.startsWith("r-")) : children.length <= atMost;
    if (!fits) violations++;
    hold.assertHeld();
    await client.delete(mark.path);
  }
  return violations;
}

function describePairings(
  zk: ZooKeeperUnderTest,
  startPeer: () => Promise<Peer>,
  pairings: readonly Pairing[],
): void {
  const connect = clients();

  test.each(pairings.filter((each) => each.shared !== true && (each.atMost ?? 1) === 1))(
    "theirs ($peerKind) and ours ($ours) keep each other out",
    async (pairing) => {
      const client = await connect(zk.hosts);
      const awaitMore = (than: number): Promise<void> =>
        awaitCondition(async () => (await names(client, "/x")).length > than);
      await using peer = await startPeer();
      expect(await peer.ask(`hold ${pairing.peerKind} /x`)).toBe("held");
      expect(await failure(pairing.acquire(client, { timeoutMs: 300 }))).toMatchObject({ code: "TIMEOUT" });
      const waiting = pairing.acquire(client);
      await awaitMore(1);
      expect(await peer.ask("release")).toBe("released");
      const hold = await waiting;
      expect(await peer.ask(`try ${pairing.peerKind} /x 300`)).toBe("busy");
      // Some of theirs withdraw in the background.
      const own = pairing.ours.endsWith("both") ? 2 : 1;
      await awaitCount(client, "/x", own);
      peer.send(`hold ${pairing.peerKind} /x`);
      await awaitMore(own);
      await hold.release();
      expect(await peer.answer()).toBe("held");
      expect(await peer.ask("release")).toBe("released");
      await awaitEmpty(client, "/x");
    },
  );

  test.each(pairings.filter((each) => each.turns !== false))(
    "theirs ($peerKind) and ours ($ours) take turns, none over-granted",
    async (pairing) => {
      const own = [await connect(zk.hosts), await connect(zk.hosts)];
      await own[0]?.create("/inside");
      await using peer = await startPeer();
      peer.send(`hammer ${pairing.peerKind} /x ${ROUNDS}`);
      const violations = await Promise.all(own.map((client) => hammer(client, pairing, ROUNDS)));
      expect(await peer.answer()).toBe(`hammered ${ROUNDS} violations 0`);
      expect(violations).toEqual([0, 0]);
    },
  );
}

const lockPairing = (peerKind: string, layout: "both" | "curator" | "kazoo"): Pairing => ({
  peerKind,
  ours: `Lock, layout ${layout}`,
  acquire: (client, options) => new Lock(client, "/x", { layout }).acquire(options),
});
const readWritePairings = (layout: "both" | "curator" | "kazoo"): Pairing[] => [
  {
    peerKind: "write",
    ours: `write side, layout ${layout}`,
    acquire: (client, options) => new ReadWriteLock(client, "/x", { layout }).write.acquire(options),
  },
  {
    peerKind: "write",
    ours: `read side, layout ${layout}`,
    acquire: (client, options) => new ReadWriteLock(client, "/x", { layout }).read.acquire(options),
    shared: true,
  },
  {
    peerKind: "read",
    ours: `write side, layout ${layout}`,
    acquire: (client, options) => new ReadWriteLock(client, "/x", { layout }).write.acquire(options),
  },
];
const semaphorePairing = (layout: "curator" | "kazoo"): Pairing => ({
  peerKind: "semaphore:2",
  ours: `Semaphore, layout ${layout}`,
  acquire: (client, options) => new Semaphore(client, "/x", { layout, permits: 2 }).acquire(options),
  atMost: 2,
});
const electionPairing = (peerKind: string, layout: "both" | "latch" | "selector" | "kazoo"): Pairing => ({
  peerKind,
  ours: `LeaderElection, layout ${layout}`,
  acquire: (client, options) => new LeaderElection(client, "/x", { layout }).campaign(options),
});

/**
 * A reader of Kazoo 2.8 waits for the last writer in the list, also for one that came after it and waits
 * for the reader: the two stand still, whoever the writer is. (Later versions look only at those before.)
 */
const withoutKazooReaders = (pairings: Pairing[]): Pairing[] =>
  pairings.map((each) => (each.peerKind === "read" ? { ...each, turns: false } : each));

if (toolsAvailable("recipes beside Kazoo", "python-kazoo")) {
  describeEachZooKeeper("beside Kazoo", (zk) => {
    const connect = clients();
    describePairings(zk, () => Peer.kazoo(zk.hosts), [
      lockPairing("lock", "both"),
      lockPairing("lock", "kazoo"),
      lockPairing("aware", "curator"),
      ...withoutKazooReaders(readWritePairings("both")),
      ...withoutKazooReaders(readWritePairings("kazoo")),
      semaphorePairing("kazoo"),
      electionPairing("election", "both"),
      electionPairing("election", "kazoo"),
    ]);

    test("each lists the other among the contenders", async () => {
      const client = await connect(zk.hosts);
      await using peer = await Peer.kazoo(zk.hosts);
      const lock = new Lock(client, "/x", { identity: "ours" });
      await using _hold = await lock.acquire();
      expect(await peer.ask("try lock /x 100")).toBe("busy");
      expect(await peer.ask("contenders lock /x")).toBe("contenders ours");
      peer.send("hold lock /x");
      await awaitCondition(async () => (await lock.contenders()).length === 2);
      expect((await lock.contenders()).map(({ identity, holds }) => [identity, holds])).toEqual([
        ["ours", true],
        ["kazoo", false],
      ]);
    });

    test("a Kazoo process that is killed leaves its lock to ours", async () => {
      const client = await connect(zk.hosts);
      const peer = await Peer.kazoo(zk.hosts);
      expect(await peer.ask("hold lock /x")).toBe("held");
      const waiting = new Lock(client, "/x").acquire({ timeoutMs: 40_000 });
      await peer.kill();
      await using hold = await waiting;
      expect(hold.isHeld).toBe(true);
    });
  });
}

if (toolsAvailable("recipes beside Curator", "java-curator")) {
  let classes: ScratchDir;
  beforeAll(async () => {
    classes = await compileJava("CuratorPeer");
  });
  afterAll(async () => {
    await classes?.remove();
  });

  describeEachZooKeeper("beside Curator", (zk) => {
    const connect = clients();
    describePairings(zk, () => Peer.curator(zk.hosts, classes), [
      lockPairing("lock", "both"),
      lockPairing("lock", "curator"),
      ...readWritePairings("both"),
      ...readWritePairings("curator"),
      semaphorePairing("curator"),
      electionPairing("latch", "both"),
      electionPairing("latch", "latch"),
      electionPairing("selector", "selector"),
    ]);

    test("each can ask the other to give a lock up", async () => {
      const client = await connect(zk.hosts);
      await using peer = await Peer.curator(zk.hosts, classes);
      const lock = new RevocableLock(client, "/x");
      const hold = await lock.acquire();
      expect(await peer.ask(`revoke ${hold.path}`)).toBe("revoked");
      await aborted(hold.revoked);
      await hold.release();
      expect(await peer.ask("hold revocable /x")).toBe("held");
      const [holder] = await lock.contenders();
      expect(await requestRevocation(client, holder?.path ?? "")).toBe(true);
      expect(await peer.answer()).toBe("asked");
    });

    test("a Curator writer waits while ours, once a writer, reads; a Curator reader does not", async () => {
      const client = await connect(zk.hosts);
      await using writer = await Peer.curator(zk.hosts, classes);
      await using reader = await Peer.curator(zk.hosts, classes);
      const write = await new ReadWriteLock(client, "/x").write.acquire();
      // It stands in the queue already when ours steps back, and must not be let through.
      writer.send("try write /x 1500");
      await awaitCondition(async () => (await client.children("/x")).children.length === 3);
      const read = await write.downgrade();
      expect(await writer.answer()).toBe("busy");
      expect(await reader.ask("hold read /x")).toBe("held");
      expect(await reader.ask("release")).toBe("released");
      read.assertHeld();
      await read.release();
      expect(await writer.ask("hold write /x")).toBe("held");
    });
  });
}
