// SPDX-License-Identifier: Apache-2.0
// The guide's programs are the example's files, and they do what the guide says.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EmbeddedServer } from "@meerkat/server";
import { runProgram, toolsAvailable } from "@meerkat/testkit";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const PROGRAMS = join(ROOT, "examples", "dist", "temperature");

describe("the guide Getting started", () => {
  it("shows the files of the example as they are", async () => {
    const guide = await readFile(join(ROOT, "docs/guides/getting-started.md"), "utf8");
    const blocks = [...guide.matchAll(/```(?:ts|python)\n(?:\/\/|#) (\S+)\n([\s\S]*?)```/g)];
    const shown = await Promise.all(
      blocks.map(async ([, path = "", text]) => {
        const file = await readFile(join(ROOT, path), "utf8");
        expect(text, path).toBe(file.slice(file.indexOf("\n") + 1));
        return path.split("/").at(-1);
      }),
    );
    expect(shown).toEqual(["service.ts", "server.ts", "client.ts", "client.py"]);
  });

  it("has programs that serve, find and call, and end well", async () => {
    await using zookeeper = await EmbeddedServer.start({ memory: true });
    const env = { MEERKAT_ZOOKEEPER: zookeeper.connectString };
    await using server = runProgram(process.execPath, { args: [join(PROGRAMS, "server.js")], env });
    await server.line(/^serving on 127\.0\.0\.1:\d+, registered as \/services\/temperature\/server\d{10}$/);
    await using client = runProgram(process.execPath, { args: [join(PROGRAMS, "client.js")], env });
    expect(await client.exited, client.output).toEqual({ code: 0, signal: null });
    expect(client.stdout).toBe("212\n-300 °C is below absolute zero\n");
    if (toolsAvailable("the guide's Python client", "python-kazoo")) {
      const script = join(ROOT, "examples", "temperature", "client.py");
      await using python = runProgram("/usr/bin/python3", { args: [script], env });
      expect(await python.exited, python.output).toEqual({ code: 0, signal: null });
      expect(python.stdout).toBe("212.0\n-300 °C is below absolute zero\n");
    }
    const meerkat = join(ROOT, "packages", "cli", "bin", "meerkat.js");
    const args = [meerkat, "call", "temperature", "toFahrenheit", "100"];
    await using command = runProgram(process.execPath, { args, env });
    expect(await command.exited, command.output).toEqual({ code: 0, signal: null });
    expect(command.stdout).toBe("212\n");
    await server.kill("SIGTERM");
    expect(server.exit, server.output).toEqual({ code: 0, signal: null });
  });
});
