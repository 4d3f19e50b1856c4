// SPDX-License-Identifier: Apache-2.0
// The whole system in real processes while its ZooKeeper is killed and comes back: no call may fail, every
// server must be listed again, and once only.
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { type Directory, Registry } from "@meerkat/governance";
import { arg, createRpcClient, defineService, f32, i32 } from "@meerkat/rpc";
import {
  awaitCondition,
  freePorts,
  type Program,
  runProgram,
  scratchDir,
  startRealZooKeeper,
  toolsAvailable,
} from "@meerkat/testkit";
import { afterEach, describe, expect, it } from "vitest";

const MEERKAT = fileURLToPath(new URL("../../packages/cli/bin/meerkat.js", import.meta.url));
const DIVIDE_SERVER = fileURLToPath(new URL("../../examples/dist/divide/server.js", import.meta.url));

/** Sessions last 2 to 20 of these, so those of the example programs last 4 s. */
const TICK_TIME_MS = 200;

const Divide = defineService("divide", {
  divide: { args: { num1: arg(1, i32), num2: arg(2, i32, { default: 1 }) }, result: f32, idempotent: true },
});

/** A ZooKeeper that can be killed and started again with its data. */
interface Killable {
  readonly hosts: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}

const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startEmbedded(): Promise<Killable> {
  const directory = await scratchDir();
  cleanUps.push(() => directory.remove());
  const [port] = await freePorts(1);
  let server: Program | undefined;
  const start = async (): Promise<void> => {
    server = runProgram(process.execPath, {
      args: [
        MEERKAT,
        "server",
        "--client-port",
        String(port),
        "--data-dir",
        directory.path,
        "--tick-time",
        String(TICK_TIME_MS),
      ],
    });
    await server.line(`listening on 127.0.0.1:${port}`);
  };
  const kill = async (): Promise<void> => server?.kill("SIGKILL");
  await start();
  cleanUps.push(kill);
  return { hosts: `127.0.0.1:${port}`, kill, start };
}

async function startReal(): Promise<Killable> {
  const zooKeeper = await startRealZooKeeper({ tickTimeMs: TICK_TIME_MS });
  cleanUps.push(() => zooKeeper.stop());
  const [member] = zooKeeper.members;
  if (member === undefined) throw new Error("no member was started");
  return { hosts: zooKeeper.connectString, kill: () => member.kill(), start: () => member.start() };
}

async function startDivideServer(hosts: string): Promise<Program> {
  const [port] = await freePorts(1);
  const server = runProgram(process.execPath, {
    args: [DIVIDE_SERVER, "127.0.0.1", String(port), "--zookeeper", hosts],
  });
  cleanUps.push(() => server.kill("SIGKILL"));
  await server.line();
  return server;
}

/** Calls without pause until `stop`; counts what was answered and keeps what failed. */
function callForever(hosts: string): {
  ready: Promise<Directory>;
  answered: () => number;
  stop: () => Promise<Error[]>;
} {
  let running = true;
  let answered = 0;
  const failures: Error[] = [];
  let announce!: (directory: Directory) => void;
  const ready = new Promise<Directory>((resolve) => {
    announce = resolve;
  });
  const loop = (async () => {
    await using registry = await Registry.connect({ hosts, sessionTimeoutMs: 10 * TICK_TIME_MS });
    await using directory = await registry.directory();
    await using client = createRpcClient(Divide, { directory, timeoutMs: 5_000 });
    announce(directory);
    for (let call = 0; running; call++) {
      try {
        expect(await client.divide({ num1: call, num2: 2 })).toBe(Math.fround(call / 2));
        answered++;
      } catch (error) {
        failures.push(error as Error);
      }
      await new Promise(setImmediate);
    }
  })();
  return {
    ready,
    answered: () => answered,
    stop: async () => {
      running = false;
      await loop;
      return failures;
    },
  };
}

/** `host:port` of every registered child, one entry a child. */
async function registered(hosts: string): Promise<string[]> {
  await using registry = await Registry.connect({ hosts });
  const { children } = await registry.client.children("/rpc");
  const addresses: string[] = [];
  for (const child of children) {
    const { data } = await registry.client.get(`/rpc/${child}`);
    const { host, port } = JSON.parse(data.toString()) as { host: string; port: number };
    addresses.push(`${host}:${port}`);
  }
  return addresses.sort();
}

/** Time without ZooKeeper: shorter than a session, and longer than every session. */
const OUTAGES = [
  ["shorter than the sessions", 700],
  ["longer than the sessions", 30 * TICK_TIME_MS],
] as const;

const KINDS = [
  ["embedded", startEmbedded],
  ["real", startReal],
] as const;

describe.each(
  KINDS.filter(([kind]) => kind === "embedded" || toolsAvailable("outage tests", "java-zookeeper")),
)("a service while the %s ZooKeeper is away", (_kind, start) => {
  it.each(OUTAGES)(
    "answers every call through an outage %s, and is listed once afterwards",
    async (_name, outageMs) => {
      const zooKeeper = await start();
      await Promise.all([1, 2, 3].map(() => startDivideServer(zooKeeper.hosts)));
      const before = await registered(zooKeeper.hosts);
      expect(before).toHaveLength(3);
      const calls = callForever(zooKeeper.hosts);
      const directory = await calls.ready;
      await awaitCondition(() => calls.answered() > 100, { describe: "the first calls" });

      await zooKeeper.kill();
      const killedAt = performance.now();
      const answeredBefore = calls.answered();
      await awaitCondition(() => performance.now() - killedAt > outageMs, {
        timeoutMs: outageMs + 5_000,
        describe: "the outage to last",
      });
      expect(calls.answered()).toBeGreaterThan(answeredBefore + 100);
      expect(directory.snapshot().endpoints).toHaveLength(3);

      await zooKeeper.start();
      await awaitCondition(async () => (await registered(zooKeeper.hosts)).join() === before.join(), {
        timeoutMs: 20_000,
        describe: `exactly ${before} to be registered`,
      });
      await awaitCondition(() => !directory.snapshot().stale, {
        describe: "the directory to be fresh again",
      });
      const answeredAfter = calls.answered();
      await awaitCondition(() => calls.answered() > answeredAfter + 100, { describe: "calls afterwards" });
      expect(await calls.stop()).toEqual([]);
      expect(directory.snapshot().endpoints).toHaveLength(3);
    },
  );

  it("loses no call when a server dies while ZooKeeper is away", async () => {
    const zooKeeper = await start();
    const [first] = await Promise.all([1, 2, 3].map(() => startDivideServer(zooKeeper.hosts)));
    const calls = callForever(zooKeeper.hosts);
    const directory = await calls.ready;
    await awaitCondition(() => calls.answered() > 100, { describe: "the first calls" });
    await zooKeeper.kill();
    await first?.kill("SIGKILL");
    const answered = calls.answered();
    await awaitCondition(() => calls.answered() > answered + 500, { describe: "calls on the other two" });
    await zooKeeper.start();
    await awaitCondition(async () => (await registered(zooKeeper.hosts)).length === 2, {
      timeoutMs: 20_000,
      describe: "the dead server's registration to expire",
    });
    await awaitCondition(() => directory.snapshot().endpoints.length === 2, {
      describe: "the directory to drop the dead server",
    });
    expect(await calls.stop()).toEqual([]);
  });
});

describe("a client whose ZooKeeper was never there", () => {
  it("is told so within its timeout instead of waiting for ever", async () => {
    const [port] = await freePorts(1);
    await expect(Registry.connect({ hosts: `127.0.0.1:${port}` }, { timeoutMs: 500 })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
  });

  it("is told so when something else answers on the port", async () => {
    const other = createServer((socket) => {
      socket.on("error", () => {});
      socket.resume().end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    await expect(Registry.connect({ hosts: `127.0.0.1:${port}` }, { timeoutMs: 500 })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
    await new Promise((resolve) => other.close(resolve));
  });
});
