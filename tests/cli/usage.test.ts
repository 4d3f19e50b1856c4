// SPDX-License-Identifier: Apache-2.0
// What the command does when it is held wrong, piped, or asked for help. No server needed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { createOutput, createProgram } from "@meerkat/cli";
import { EmbeddedServer } from "@meerkat/server";
import { expect, test } from "vitest";
import { MEERKAT, meerkat } from "./support/meerkat.ts";

test.each([
  [[], "Usage: meerkat"],
  [["frobnicate"], "unknown command 'frobnicate'"],
  [["ls", "--frobnicate"], "unknown option '--frobnicate'"],
  [["gett", "/a"], "Did you mean get?"],
  [["get"], "missing required argument 'path'"],
  [["get", "/a", "/b"], "too many arguments"],
  [["set", "/a"], "set needs DATA"],
  [["set", "/a", "x", "--file", "y"], "not both"],
  [["set", "/a", "x", "--version", "one"], "whole number"],
  [["ls", "--timeout", "0"], "1 or more"],
  [["create", "/a", "--acl", "world:anyone:xyz"], "is no permission"],
  [["create", "/a", "--mode", "eternal"], "Modes are"],
  [["create", "/a", "-e", "--ttl", "5"], "do not go together"],
  [["rm", "-r", "/a", "--version", "1"], "does not go with"],
  [["completion", "tcsh"], "Allowed choices are bash, zsh, fish"],
  [["server", "--client-port", "65536"], "at most 65535"],
])("bad usage %j exits with 2 and says what is wrong", async (args, message) => {
  const outcome = await meerkat(args);
  expect(outcome.code).toBe(2);
  expect(outcome.stderr).toContain(message);
  expect(outcome.stdout).toBe("");
});

test("a bad path is bad usage", async () => {
  await using server = await EmbeddedServer.start({ memory: true });
  const outcome = await meerkat(["get", "no/slash", "-z", server.connectString]);
  expect(outcome.code).toBe(2);
  expect(outcome.stderr).toContain("must start with /");
});

test("a bad credential is not repeated in the message", async () => {
  for (const options of [
    { args: ["ls", "--auth", "hunter2"], env: {} },
    { args: ["ls"], env: { MEERKAT_AUTH: "hunter2" } },
  ]) {
    const outcome = await meerkat(options.args, { env: options.env });
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toContain("digest:user:password");
    expect(outcome.stderr + outcome.stdout).not.toContain("hunter2");
  }
});

test("help and version go to stdout with exit code 0", async () => {
  const help = await meerkat(["--help"]);
  expect(help.code).toBe(0);
  expect(help.stdout).toContain("Exit codes: 0 done, 1 the operation failed, 2 bad usage.");
  const version = await meerkat(["--version"]);
  const manifest = await readFile(new URL("../../packages/cli/package.json", import.meta.url), "utf8");
  expect(version.stdout.trim()).toBe((JSON.parse(manifest) as { version: string }).version);
});

test("every command and every flag of it is on its reference page", async () => {
  const page = await readFile(new URL("../../docs/reference/cli.md", import.meta.url), "utf8");
  const common = page.slice(page.indexOf("## Rules for all commands"), page.indexOf("## Znodes"));
  const output = createOutput(new PassThrough(), {});
  const { signal } = new AbortController();
  const program = createProgram(
    { stdin: new PassThrough(), stdout: output, stderr: output, env: {}, signal },
    () => {},
  );
  expect(program.commands.length).toBeGreaterThan(12);
  const undocumented: string[] = [];
  for (const command of program.commands) {
    const start = page.indexOf(`\n### ${command.name()}\n`);
    if (start < 0) undocumented.push(command.name());
    const end = page.indexOf("\n##", start + 5);
    const text = common + page.slice(start, end < 0 ? undefined : end);
    for (const { long } of command.options) {
      if (!new RegExp(`${long}(?![a-z-])`).test(text)) undocumented.push(`${command.name()} ${long}`);
    }
  }
  expect(undocumented).toEqual([]);
});

test("a reader that goes away early is no failure and no crash", async () => {
  await using server = await EmbeddedServer.start({ memory: true });
  await meerkat(["create", "/big", "-", "-z", server.connectString], { input: "x".repeat(900_000) });
  const child = spawn(process.execPath, [MEERKAT, "get", "/big", "-z", server.connectString]);
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdout.once("data", () => child.stdout.destroy());
  const [code] = (await once(child, "close")) as [number | null];
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("output that cannot be written is a failure", async () => {
  await using server = await EmbeddedServer.start({ memory: true });
  const full = await open("/dev/full", "w");
  try {
    const child = spawn(process.execPath, [MEERKAT, "ls", "/", "-z", server.connectString], {
      stdio: ["ignore", full.fd, "pipe"],
    });
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code] = (await once(child, "close")) as [number | null];
    expect(code).toBe(1);
    expect(stderr).toMatch(/^meerkat: .*ENOSPC/);
  } finally {
    await full.close();
  }
});

test("colours are left out in a pipe and come when forced", async () => {
  await using server = await EmbeddedServer.start({ memory: true });
  await meerkat(["create", "/a", "-z", server.connectString]);
  const plain = await meerkat(["tree", "/", "-z", server.connectString]);
  expect(plain.stdout).not.toContain("\u001b[");
  const forced = await meerkat(["tree", "/", "-z", server.connectString], { env: { FORCE_COLOR: "1" } });
  expect(forced.stdout).toContain("\u001b[");
});

test.each(["bash", "zsh", "fish"])(
  "the completion script for %s names the commands and their flags",
  async (shell) => {
    const { code, stdout } = await meerkat(["completion", shell]);
    expect(code).toBe(0);
    for (const word of ["services", "create", "zookeeper", "recursive"]) expect(stdout).toContain(word);
  },
);

test("bash takes the completion script and completes with it", async () => {
  const { stdout } = await meerkat(["completion", "bash"]);
  const script = `${stdout}\nCOMP_WORDS=(meerkat serv); COMP_CWORD=1; _meerkat; echo "\${COMPREPLY[@]}"\nCOMP_WORDS=(meerkat ls --rec); COMP_CWORD=2; _meerkat; echo "\${COMPREPLY[@]}"`;
  const bash = spawn("bash", ["-c", script]);
  let output = "";
  bash.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(bash, "close");
  expect(output).toBe("services server\n--recursive\n");
});
