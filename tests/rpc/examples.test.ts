// SPDX-License-Identifier: Apache-2.0
// The seed's two programs as users run them.
import { join } from "node:path";
import { ZooKeeperClient } from "@meerkat/client";
import { EmbeddedServer } from "@meerkat/server";
import { freePorts, type Program, runProgram } from "@meerkat/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const PROGRAMS = join(import.meta.dirname, "..", "..", "examples", "dist", "divide");

let zookeeper: EmbeddedServer;
beforeAll(async () => {
  zookeeper = await EmbeddedServer.start({ memory: true });
});
afterAll(() => zookeeper.close());

function run(name: "server" | "client", ...args: readonly string[]): Program {
  return runProgram(process.execPath, { args: [join(PROGRAMS, `${name}.js`), ...args] });
}

async function startServer(
  ...args: readonly string[]
): Promise<{ program: Program; address: string; path: string }> {
  const program = run("server", "127.0.0.1", "0", "--zookeeper", zookeeper.connectString, ...args);
  const ready = /^divide server on (\S+), registered as (\S+)$/;
  const [, address = "", path = ""] = ready.exec(await program.line(ready)) ?? [];
  return { program, address, path };
}

describe("the divide server", () => {
  it("registers exactly as the seed's does, and leaves on SIGTERM with exit code 0", async () => {
    await using client = await ZooKeeperClient.connect(zookeeper.connectString);
    const { program, address, path } = await startServer();
    await using _program = program;
    const [host, port] = address.split(":");
    expect(path).toMatch(/^\/rpc\/server\d{10}$/);
    const { data, stat } = await client.get(path);
    expect(data.toString()).toBe(`{"host": "${host}", "port": ${port}}`);
    expect(stat.ephemeralOwner).not.toBe(0n);
    await program.kill("SIGTERM");
    expect(program.exit, program.output).toEqual({ code: 0, signal: null });
    expect(program.stdout.split("\n")).toHaveLength(2);
    expect(await client.exists(path)).toBeNull();
  });

  it.each([
    [["127.0.0.1"], "PORT must be an integer from 0 to 65535"],
    [["127.0.0.1", "99999"], "PORT must be an integer from 0 to 65535"],
    [[], "give the HOST and the PORT to serve on"],
    [["127.0.0.1", "1", "--bogus"], "Unknown option '--bogus'"],
  ])("with wrong arguments %j ends with exit code 2 and says what is wrong", async (args, message) => {
    await using program = run("server", ...args);
    expect(await program.exited).toEqual({ code: 2, signal: null });
    expect(program.output).toContain(message);
    expect(program.output).toContain("usage: npm run example:divide-server -- HOST PORT");
  });

  it("on a port that is taken ends with exit code 1 and says so", async () => {
    await using program = run("server", "127.0.0.1", String(zookeeper.port));
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.output).toContain(`cannot listen on 127.0.0.1:${zookeeper.port}`);
  });
});

describe("the divide client", () => {
  it("calls every server, and no call fails while servers are killed, stopped and started", async () => {
    const first = await startServer("--session-timeout", "2000");
    const second = await startServer("--session-timeout", "2000");
    // Long enough for a third process to start and be found, on a busy machine too.
    const calls = 1500;
    const args = [
      "--calls",
      String(calls),
      "--interval",
      "5",
      "--json",
      "--zookeeper",
      zookeeper.connectString,
    ];
    await using client = run("client", ...args);
    await client.line(/"num1":20,/);
    const third = await startServer();
    await first.program.kill("SIGKILL");
    await client.line(new RegExp(third.address.replaceAll(".", "\\.")));
    await second.program.kill("SIGTERM");
    expect(await client.exited, client.output).toEqual({ code: 0, signal: null });
    const lines = client.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toEqual(
      Array.from({ length: calls }, (_, num1) => ({ num1, result: num1, server: expect.any(String) })),
    );
    const servers = new Set(lines.map(({ server }) => server));
    expect(servers).toEqual(new Set([first.address, second.address, third.address]));
    await third.program.kill("SIGTERM");
  });

  it("ends early and well on SIGINT", async () => {
    const { program } = await startServer();
    await using _program = program;
    await using client = run("client", "--zookeeper", zookeeper.connectString);
    await client.line(/^divide\(0\) = 0 {3}127\.0\.0\.1:\d+$/);
    await client.kill("SIGINT");
    expect(client.exit, client.output).toEqual({ code: 0, signal: null });
  });

  it("with wrong arguments ends with exit code 2", async () => {
    await using program = run("client", "--calls", "many");
    expect(await program.exited).toEqual({ code: 2, signal: null });
    expect(program.output).toContain("--calls must be an integer from 0");
  });

  it("without a ZooKeeper ends with exit code 1 and says so", async () => {
    const [port = 0] = await freePorts(1);
    await using program = run("client", "--zookeeper", `127.0.0.1:${port}`);
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.output).toContain(`127.0.0.1:${port}`);
  });
});
