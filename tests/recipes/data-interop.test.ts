// SPDX-License-Identifier: Apache-2.0
// Processes of Kazoo and of Curator use the same barriers, numbers, queues and groups as ours.
import { utf8, type ZooKeeperClient } from "@meerkat/client";
import {
  AtomicInteger,
  AtomicLong,
  Barrier,
  Counter,
  curatorQueue,
  DelayQueue,
  DoubleBarrier,
  kazooQueue,
  Lock,
  Party,
  PriorityQueue,
  Queue,
  SetPartitioner,
} from "@meerkat/recipes";
import { awaitCondition, type Program, runPython, type ScratchDir, toolsAvailable } from "@meerkat/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeEachZooKeeper, type ZooKeeperUnderTest } from "../support/zookeepers.ts";
import { closing, connect } from "./data-support.ts";
import { names } from "./exclusion-support.ts";
import { compileJava, runJava } from "./peers.ts";

const KAZOO = new URL("../python/kazoo_data.py", import.meta.url).pathname;
const text = { codec: utf8 } as const;

/** A peer process and its way to be asked. */
class DataPeer implements AsyncDisposable {
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
  }

  static async started(program: Program): Promise<DataPeer> {
    await program.line("connected", { timeoutMs: 40_000 });
    return new DataPeer(program);
  }

  send(...words: readonly (string | number)[]): void {
    this.#program.send(words.join(" "));
  }

  /** What follows `name` in its next line. */
  async answer(name: string): Promise<string> {
    const line = await this.#program.line(`${name} `, { timeoutMs: 40_000 });
    return line.slice(name.length + 1).trim();
  }

  ask(name: string, ...words: readonly (string | number)[]): Promise<string> {
    this.send(name, ...words);
    return this.answer(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.kill();
  }
}

describe.runIf(toolsAvailable("data recipes beside Kazoo", "python-kazoo"))("beside Kazoo", () => {
  describeEachZooKeeper("our recipes", (zk) => {
    const closed = closing();
    const kazoo = (): Promise<DataPeer> => DataPeer.started(runPython(KAZOO, [zk.hosts]));

    test("share its barriers", async () => {
      const client = closed(await connect(zk));
      await using peer = await kazoo();
      const barrier = new Barrier(client, "/b");
      await peer.ask("barrier-create", "/b");
      const waiting = barrier.wait();
      expect(await peer.ask("barrier-remove", "/b")).toBe("True");
      await waiting;
      await barrier.create();
      peer.send("barrier-wait", "/b");
      await barrier.remove();
      expect(await peer.answer("barrier-wait")).toBe("True");
    });

    test("enter and leave its double barriers", async () => {
      const client = closed(await connect(zk));
      await using first = await kazoo();
      await using second = await kazoo();
      for (let round = 0; round < 3; round++) {
        const barrier = new DoubleBarrier(client, `/d${round}`, { size: 3, identifier: "ours" });
        first.send("double-enter", `/d${round}`, 3);
        const entering = barrier.enter({ timeoutMs: 20_000 });
        second.send("double-enter", `/d${round}`, 3);
        await Promise.all([first.answer("double-enter"), second.answer("double-enter"), entering]);
        first.send("double-leave", `/d${round}`);
        const leaving = barrier.leave({ timeoutMs: 20_000 });
        second.send("double-leave", `/d${round}`);
        await Promise.all([first.answer("double-leave"), second.answer("double-leave"), leaving]);
        expect(await names(client, `/d${round}`)).toEqual([]);
      }
    });

    test("count with its counters", async () => {
      const client = closed(await connect(zk));
      await using peer = await kazoo();
      const counter = closed(new Counter(client, "/c"));
      expect(await peer.ask("counter-add", "/c", 5)).toBe("5");
      expect((await counter.add(-7)).value).toBe(-2);
      expect(await peer.ask("counter-add", "/c", 1)).toBe("-1");
      const float = closed(new Counter(client, "/f"));
      expect(await peer.ask("float-add", "/f", 1.5)).toBe("1.5");
      expect((await float.add(0.5)).value).toBe(2);
      expect(await peer.ask("float-add", "/f", 0.25)).toBe("2.25");
      const integer = closed(new AtomicInteger(client, "/i"));
      expect((await integer.add(40)).value).toBe(40);
      expect(await peer.ask("curator-counter-add", "/i", 2)).toBe("42");
      expect(await integer.get()).toBe(42);
      // At the same time: no increment of either is lost.
      peer.send("counter-many", "/c", 60);
      for (let count = 0; count < 60; count++) await counter.increment();
      await peer.answer("counter-many");
      expect(await counter.get()).toBe(119);
    });

    test("put into and take from its queues", async () => {
      const client = closed(await connect(zk));
      await using peer = await kazoo();
      const simple = closed(new PriorityQueue(client, kazooQueue("/q"), text));
      await simple.put("normal");
      await peer.ask("queue-put", "/q", "urgent", 5);
      await simple.put("late", { priority: 500 });
      expect((await simple.take()).value).toBe("urgent");
      expect(await peer.ask("queue-get", "/q")).toBe("normal");
      expect(await peer.ask("queue-get", "/q")).toBe("late");
      expect(await peer.ask("queue-get", "/q")).toBe("none");

      const locking = closed(new PriorityQueue(client, "/l", text));
      await peer.ask("locking-put", "/l", "a");
      await locking.put("b");
      await peer.ask("locking-put", "/l", "first", 1);
      // Each respects what the other holds.
      expect(await peer.ask("locking-get", "/l")).toBe("first");
      const a = await locking.take();
      expect(a.value).toBe("a");
      expect(await peer.ask("locking-release", "/l")).toBe("True");
      const first = await locking.take();
      expect(first.value).toBe("first");
      expect(await peer.ask("locking-get", "/l")).toBe("b");
      await a.release();
      await first.ack();
      expect(await peer.ask("locking-consume", "/l")).toBe("True");
      expect(await peer.ask("locking-get", "/l")).toBe("a");
      expect(await peer.ask("locking-consume", "/l")).toBe("True");
      expect(await locking.size()).toBe(0);
    });

    test("consume with its consumers, every item once", async () => {
      const client = closed(await connect(zk));
      await using peer = await kazoo();
      const queue = closed(new Queue(client, "/l", text));
      const values = Array.from({ length: 60 }, (_, index) => `v${index}`);
      await queue.putAll(values);
      peer.send("locking-work", "/l", 60);
      const ours: string[] = [];
      await awaitCondition(
        async () => {
          const item = await queue.tryTake();
          if (item === undefined) return (await queue.size()) === 0;
          ours.push(item.value);
          await item.ack();
          return false;
        },
        { timeoutMs: 20_000 },
      );
      const theirs = (await peer.answer("locking-work")).split(" ").filter((value) => value !== "");
      expect([...ours, ...theirs].sort()).toEqual(values.sort());
      expect(ours.length).toBeGreaterThan(0);
    });

    test.each([
      ["Party", "party"],
      ["ShallowParty", "shallow"],
    ] as const)("are members of its %s", async (kind, layout) => {
      const client = closed(await connect(zk));
      await using peer = await kazoo();
      const party = closed(new Party(client, "/p", { identifier: "ours", layout }));
      await party.join();
      await peer.ask("party-join", kind, "/p", "theirs");
      expect(await peer.ask("party-list", kind, "/p")).toBe("ours theirs");
      expect((await party.members()).map(({ identifier }) => identifier)).toEqual(["ours", "theirs"]);
      await peer.ask("party-leave", kind, "/p");
      expect((await party.members()).map(({ identifier }) => identifier)).toEqual(["ours"]);
      await party.leave();
      expect(await peer.ask("party-list", kind, "/p")).toBe("");
    });

    test("divide a set with its partitioner", async () => {
      const client = closed(await connect(zk));
      await using peer = await kazoo();
      peer.send("partition", "/s", "kazoo", "a,b,c,d");
      expect(await peer.answer("partition-acquired")).toBe("a,b,c,d");
      const partitioner = new SetPartitioner(client, "/s", {
        items: ["a", "b", "c", "d"],
        identifier: "meerkat",
        settleMs: 300,
      });
      for await (const { items, members } of partitioner.allocations()) {
        expect(members).toEqual(["kazoo", "meerkat"]);
        expect(items).toEqual(["b", "d"]);
        expect(await peer.answer("partition-acquired")).toBe("a,c");
        break;
      }
      expect(await peer.answer("partition-acquired")).toBe("a,b,c,d");
    });
  });
});

function describeCurator(zk: ZooKeeperUnderTest): void {
  const closed = closing();
  let classes: ScratchDir;
  beforeAll(async () => {
    classes = await compileJava("CuratorDataPeer");
  });
  afterAll(() => classes.remove());
  const curator = (): Promise<DataPeer> => DataPeer.started(runJava("CuratorDataPeer", classes, [zk.hosts]));

  test("share its barriers, single and double", async () => {
    const client = closed(await connect(zk));
    await using peer = await curator();
    const barrier = new Barrier(client, "/b");
    await peer.ask("barrier-set", "/b");
    const waiting = barrier.wait();
    await peer.ask("barrier-remove", "/b");
    await waiting;
    await barrier.create();
    peer.send("barrier-wait", "/b");
    await barrier.remove();
    expect(await peer.answer("barrier-wait")).toBe("true");
    for (let round = 0; round < 3; round++) {
      const double = new DoubleBarrier(client, "/d", { size: 2 });
      peer.send("double-enter", "/d", 2);
      await double.enter({ timeoutMs: 20_000 });
      expect(await peer.answer("double-enter")).toBe("true");
      peer.send("double-leave", "/d");
      await double.leave({ timeoutMs: 20_000 });
      expect(await peer.answer("double-leave")).toBe("true");
      expect(await names(client, "/d")).toEqual([]);
    }
  });

  test("count with its numbers, optimistic and locked", async () => {
    const client = closed(await connect(zk));
    await using peer = await curator();
    const long = closed(
      new AtomicLong(client, "/n", { lock: new Lock(client, "/n-lock"), optimisticAttemptsMax: 3 }),
    );
    expect(await peer.ask("long-add", "/n", 5_000_000_000)).toBe("5000000000");
    expect((await long.add(-1n)).value).toBe(4_999_999_999n);
    peer.send("long-many", "/n", 50);
    for (let count = 0; count < 50; count++) await long.increment({ timeoutMs: 20_000 });
    expect(await peer.answer("long-many")).toBe("done");
    expect(await long.get()).toBe(5_000_000_099n);
    const integer = closed(new AtomicInteger(client, "/i"));
    expect(await peer.ask("integer-add", "/i", -3)).toBe("-3");
    expect((await integer.add(10)).value).toBe(7);
    expect(await peer.ask("shared-count", "/i", 99)).toBe("7");
    expect(await integer.get()).toBe(99);
  });

  async function consumed(peer: DataPeer, count: number): Promise<string[]> {
    const values: string[] = [];
    while (values.length < count) values.push(await peer.answer("consumed"));
    return values;
  }

  test("put into its queues", async () => {
    const client = closed(await connect(zk));
    await using peer = await curator();
    const fifo = closed(new Queue(client, curatorQueue("/f"), text));
    await fifo.putAll(["a", "b", "c"]);
    await peer.ask("queue-consume", "fifo", "/f", "/f-locks");
    expect(await consumed(peer, 3)).toEqual(["a", "b", "c"]);
    const priority = closed(new PriorityQueue(client, curatorQueue("/p", { ordering: "priority" }), text));
    for (const place of [7, -7, 0]) await priority.put(String(place), { priority: place });
    await peer.ask("queue-consume", "priority", "/p", "/p-locks");
    expect(await consumed(peer, 3)).toEqual(["-7", "0", "7"]);
    const delay = closed(new DelayQueue(client, "/d", text));
    await peer.ask("queue-consume", "delay", "/d", "/d-locks");
    await delay.put("late", { delayMs: 600 });
    await delay.put("soon", { delayMs: 200 });
    expect(await consumed(peer, 2)).toEqual(["soon", "late"]);
    await awaitCondition(
      async () => (await fifo.size()) + (await priority.size()) + (await delay.size()) === 0,
    );
  });

  test("take from its queues", async () => {
    const client = closed(await connect(zk));
    await using peer = await curator();
    const fifo = closed(new Queue(client, curatorQueue("/f"), text));
    await peer.ask("queue-put", "fifo", "/f", "a");
    await peer.ask("queue-put", "fifo", "/f", "b+c");
    const a = await fifo.take();
    const both = await fifo.take();
    expect(a.value).toBe("a");
    expect(both.payloads.map(String)).toEqual(["b", "c"]);
    await both.ack();
    // It gets what we give back, not what we hold: Curator takes a claim of the entry's name for taken.
    await peer.ask("queue-consume", "fifo", "/f", "/f-locks");
    await a.release();
    await fifo.put("last");
    expect((await consumed(peer, 2)).sort()).toEqual(["a", "last"]);
    const priority = closed(new PriorityQueue(client, curatorQueue("/p", { ordering: "priority" }), text));
    for (const place of [3, -3]) await peer.ask("queue-put", "priority", "/p", `v${place}`, place);
    expect([(await priority.take()).value, (await priority.take()).value]).toEqual(["v-3", "v3"]);
    const delay = closed(new DelayQueue(client, "/d", text));
    await peer.ask("queue-put", "delay", "/d", "late", 700);
    await peer.ask("queue-put", "delay", "/d", "now", 0);
    expect([(await delay.take()).value, (await delay.take()).value]).toEqual(["now", "late"]);
  });

  test("are members of its groups", async () => {
    const client: ZooKeeperClient = closed(await connect(zk));
    await using peer = await curator();
    const party = closed(new Party(client, "/g", { identifier: "ours", layout: "member", data: "1" }));
    await party.join();
    await peer.ask("group-start", "/g", "theirs", "2");
    await awaitCondition(async () => (await peer.ask("group-list", "/g")) === "ours=1 theirs=2");
    await awaitCondition(async () => (await party.members()).length === 2);
    expect((await party.members()).map(({ identifier, data }) => `${identifier}=${data.toString()}`)).toEqual(
      ["ours=1", "theirs=2"],
    );
    await peer.ask("group-close", "/g");
    await awaitCondition(async () => (await party.members()).length === 1);
  });
}

describe.runIf(toolsAvailable("data recipes beside Curator", "java-curator"))("beside Curator", () => {
  describeEachZooKeeper("our recipes", describeCurator);
});
