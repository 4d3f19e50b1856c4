// SPDX-License-Identifier: Apache-2.0
// The programs of examples/divide, as processes of their own, beside the seed's Python programs. They run
// as they were built.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { awaitCondition, type Program, runProgram, runPython, toolsAvailable } from "@meerkat/testkit";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const SERVER_JS = join(ROOT, "examples", "dist", "divide", "server.js");
const CLIENT_JS = join(ROOT, "examples", "dist", "divide", "client.js");
const PYTHON_DIR = join(ROOT, "tests", "python");

interface Call {
  readonly num1: number;
  readonly result?: number;
  readonly server: string;
}

describe.runIf(toolsAvailable("Python divide programs", "python-kazoo"))("the divide programs", () => {
  beforeAll(() => {
    if (!existsSync(SERVER_JS)) throw new Error("examples/divide is not built: run npm run build first");
  });

  describeEachZooKeeper("of both languages", (zk) => {
    const running: Program[] = [];
    afterEach(async () => {
      await Promise.all(running.splice(0).map((program) => program.kill("SIGKILL")));
    });

    function start(program: Program): Program {
      running.push(program);
      return program;
    }

    async function typeScriptServer(): Promise<{ program: Program; port: number; path: string }> {
      const args = [SERVER_JS, "127.0.0.1", "0", "--zookeeper", zk.hosts, "--session-timeout", "3000"];
      const program = start(runProgram(process.execPath, { args }));
      const line = await program.line("divide server on");
      const [, port, path] = /:(\d+), registered as (\S+)$/.exec(line) ?? [];
      return { program, port: Number(port), path: path ?? "" };
    }

    async function pythonServer(): Promise<{ program: Program; port: number }> {
      const program = start(
        runPython(join(PYTHON_DIR, "divide_server.py"), ["127.0.0.1", "0", zk.hosts, "3"]),
      );
      return { program, port: Number((await program.line("listening")).slice("listening ".length)) };
    }

    async function pythonClient(): Promise<(command: string) => Promise<Record<string, unknown>>> {
      const program = start(runPython(join(PYTHON_DIR, "divide_client.py"), [zk.hosts]));
      await program.line("ready");
      return async (command) => {
        program.send(command);
        return JSON.parse(await program.line("{")) as Record<string, unknown>;
      };
    }

    test("a Python client goes on when the TypeScript server that it used is killed", async () => {
      const killed = await typeScriptServer();
      const python = await pythonServer();
      const ask = await pythonClient();
      const used = new Set<unknown>();
      await awaitCondition(async () => {
        const reply = await ask("divide 200 100");
        expect(reply["result"]).toBe(2);
        used.add(reply["server"]);
        return used.size === 2;
      });
      await killed.program.kill("SIGKILL");
      for (let call = 0; call < 30; call++) {
        expect(await ask(`divide ${call} 1`)).toEqual({ result: call, server: python.port });
      }
      // Its session ends, its znode goes, and the client's watch shows it.
      await awaitCondition(
        async () => JSON.stringify((await ask("servers"))["servers"]) === `[${python.port}]`,
        {
          timeoutMs: 30_000,
          describe: "the killed server to leave the list",
        },
      );
    });

    test("a TypeScript server that is told to stop leaves the list at once and ends with 0", async () => {
      const { program, port } = await typeScriptServer();
      const ask = await pythonClient();
      expect((await ask("servers"))["servers"]).toEqual([port]);
      await program.kill("SIGTERM");
      expect(program.exit).toEqual({ code: 0, signal: null });
      await awaitCondition(async () => JSON.stringify((await ask("servers"))["servers"]) === "[]", {
        timeoutMs: 2500,
      });
    });

    test("the TypeScript client loses no call while Python and TypeScript servers come, go and die", async () => {
      const first = await pythonServer();
      const second = await typeScriptServer();
      const args = [CLIENT_JS, "--calls", "150", "--interval", "20", "--zookeeper", zk.hosts, "--json"];
      const client = start(runProgram(process.execPath, { args }));
      const calls: Call[] = [];
      const nextCall = async (): Promise<string> => {
        const call = JSON.parse(await client.line("{")) as Call;
        calls.push(call);
        return call.server;
      };
      const untilCalled = (port: number): Promise<void> =>
        awaitCondition(async () => (await nextCall()) === `127.0.0.1:${port}`);
      await untilCalled(first.port);
      await untilCalled(second.port);
      await first.program.kill("SIGKILL");
      const third = await pythonServer();
      await untilCalled(third.port);
      await second.program.kill("SIGTERM");
      const fourth = await typeScriptServer();
      await untilCalled(fourth.port);
      while (calls.length < 150) await nextCall();
      expect(calls.map(({ num1, result }) => [num1, result])).toEqual(
        Array.from({ length: 150 }, (_, num1) => [num1, num1]),
      );
      expect(await client.exited).toEqual({ code: 0, signal: null });
    });
  });
});
