// SPDX-License-Identifier: Apache-2.0
// The seed's Python programs and ours on one ZooKeeper: each kind of client calls each kind of server.
import { join } from "node:path";
import { Registry } from "@meerkat/governance";
import { createRpcClient, InvalidOperation } from "@meerkat/rpc";
import { awaitCondition, type PythonPeer, runPython, toolsAvailable } from "@meerkat/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { Divide, listen } from "../rpc/divide.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const PYTHON_DIR = join(import.meta.dirname, "..", "python");
/** The result of a call by the Python client. */
interface PythonReply {
  readonly server: number;
  readonly result?: number;
  readonly error?: string;
}

describe.runIf(toolsAvailable("Python divide programs", "python-kazoo"))("divide", () => {
  describeEachZooKeeper("between Python and TypeScript", (zk) => {
    const cleanups: (() => unknown)[] = [];
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    });

    /** Starts a Python server; gives its port and the znode it registered. */
    async function pythonServer(): Promise<{ peer: PythonPeer; port: number; path: string }> {
      const peer = runPython(join(PYTHON_DIR, "divide_server.py"), ["127.0.0.1", "0", zk.hosts, "3"]);
      cleanups.push(() => peer.kill());
      const path = (await peer.line("registered")).slice("registered ".length);
      const port = Number((await peer.line("listening")).slice("listening ".length));
      return { peer, port, path };
    }

    /** Starts a TypeScript server, registered as the seed's. `close` deregisters, then drains. */
    async function typeScriptServer(): Promise<{ port: number; path: string; close: () => Promise<void> }> {
      const server = await listen();
      const registry = await Registry.connect({ hosts: zk.hosts, sessionTimeoutMs: 2000 });
      const registration = await registry.register({ host: server.host, port: server.port });
      const close = async (): Promise<void> => {
        await registry.close();
        await server.close();
      };
      cleanups.push(close);
      return { port: server.port, path: registration.path ?? "", close };
    }

    class PythonClient {
      readonly #peer: PythonPeer;
      constructor(peer: PythonPeer) {
        this.#peer = peer;
      }
      async divide(num1: number, num2: number): Promise<PythonReply> {
        this.#peer.send(`divide ${num1} ${num2}`);
        return JSON.parse(await this.#peer.line("{")) as PythonReply;
      }
      async servers(): Promise<readonly number[]> {
        this.#peer.send("servers");
        return (JSON.parse(await this.#peer.line("{")) as { servers: number[] }).servers;
      }
      async untilServers(ports: readonly number[]): Promise<void> {
        const expected = JSON.stringify(ascending(ports));
        await awaitCondition(async () => JSON.stringify(await this.servers()) === expected, {
          timeoutMs: 30_000,
          describe: `the Python client to see ${expected}`,
        });
      }
    }

    async function pythonClient(): Promise<PythonClient> {
      const peer = runPython(join(PYTHON_DIR, "divide_client.py"), [zk.hosts]);
      cleanups.push(() => peer.kill());
      await peer.line("ready");
      return new PythonClient(peer);
    }

    async function typeScriptClient() {
      const registry = await Registry.connect({ hosts: zk.hosts });
      const directory = await registry.directory();
      const client = createRpcClient(Divide, { directory, timeoutMs: 10_000 });
      cleanups.push(async () => {
        await client.close();
        await registry.close();
      });
      const answered: number[] = [];
      const failed: number[] = [];
      client.onAttempt(({ endpoint, outcome }) => {
        if (outcome === "ok") answered.push(endpoint.port);
        else failed.push(endpoint.port);
      });
      const ports = (): number[] => ascending(directory.snapshot().endpoints.map(({ port }) => port));
      return { client, answered, failed, ports };
    }

    test("a Python client calls a TypeScript server", async () => {
      const { port } = await typeScriptServer();
      const client = await pythonClient();
      expect(await client.divide(200, 100)).toEqual({ server: port, result: 2 });
      expect(await client.divide(7, 1)).toEqual({ server: port, result: 7 });
      expect(await client.divide(1, 3)).toEqual({ server: port, result: Math.fround(1 / 3) });
      expect(await client.divide(-2_147_483_648, 2)).toEqual({ server: port, result: -1_073_741_824 });
      expect((await client.divide(1, 0)).error).toMatch(/invalid operation/i);
      expect(await client.divide(9, 3)).toEqual({ server: port, result: 3 });
    });

    test("a TypeScript client calls a Python server", async () => {
      const { port } = await pythonServer();
      const { client, answered } = await typeScriptClient();
      expect(await client.divide({ num1: 200, num2: 100 })).toBe(2);
      expect(await client.divide({ num1: 7 })).toBe(7);
      expect(await client.divide({ num1: 1, num2: 3 })).toBe(Math.fround(1 / 3));
      const error = await client.divide({ num1: 1, num2: 0 }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(InvalidOperation);
      expect((error as Error).message).toBe("python: division by zero");
      expect(await client.divide({ num1: -9, num2: 3 })).toBe(-3);
      const results = await Promise.all(Array.from({ length: 50 }, (_, num1) => client.divide({ num1 })));
      expect(results).toEqual(Array.from({ length: 50 }, (_, num1) => num1));
      expect(new Set(answered)).toEqual(new Set([port]));
    });

    test("both register the same way: ephemeral, numbered, JSON with host and port", async () => {
      const python = await pythonServer();
      const typeScript = await typeScriptServer();
      await using registry = await Registry.connect({ hosts: zk.hosts });
      expect([python.path, typeScript.path]).toEqual([
        expect.stringMatching(/^\/rpc\/server\d{10}$/),
        expect.stringMatching(/^\/rpc\/server\d{10}$/),
      ]);
      for (const { path, port } of [python, typeScript]) {
        const { data, stat } = await registry.client.get(path);
        expect(JSON.parse(data.toString("utf8"))).toMatchObject({ host: "127.0.0.1", port });
        expect(stat.ephemeralOwner).not.toBe(0n);
      }
    });

    test("a Python client spreads over both kinds of server and follows those that come and go", async () => {
      const python = await pythonServer();
      const typeScript = await typeScriptServer();
      const client = await pythonClient();
      await client.untilServers([python.port, typeScript.port]);
      const used = new Set<number>();
      await awaitCondition(async () => {
        const reply = await client.divide(6, 3);
        expect(reply.result).toBe(2);
        used.add(reply.server);
        return used.size === 2;
      });
      const joined = await typeScriptServer();
      await client.untilServers([python.port, typeScript.port, joined.port]);
      await typeScript.close();
      await client.untilServers([python.port, joined.port]);
      for (let call = 0; call < 20; call++) expect((await client.divide(call, 1)).result).toBe(call);
    });

    test("a TypeScript client spreads over both kinds, and a killed Python server costs it no call", async () => {
      const first = await pythonServer();
      const second = await pythonServer();
      const typeScript = await typeScriptServer();
      const { client, answered, ports } = await typeScriptClient();
      await awaitCondition(() => ports().length === 3);
      await awaitCondition(async () => {
        expect(await client.divide({ num1: 6, num2: 3 })).toBe(2);
        return new Set(answered).size === 3;
      });
      await first.peer.kill("SIGKILL");
      for (let num1 = 0; num1 < 100; num1++) expect(await client.divide({ num1 })).toBe(num1);
      expect(new Set(answered.slice(-100))).toEqual(new Set([second.port, typeScript.port]));
      const late = await pythonServer();
      await awaitCondition(() => ports().includes(late.port));
      await awaitCondition(async () => {
        await client.divide({ num1: 1 });
        return answered.at(-1) === late.port;
      });
      // The killed server's session ends with its timeout; then its znode is gone, too.
      await awaitCondition(() => !ports().includes(first.port), { timeoutMs: 30_000 });
    });
  });
});

function ascending(numbers: readonly number[]): number[] {
  return [...numbers].sort((left, right) => left - right);
}
