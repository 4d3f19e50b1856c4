// SPDX-License-Identifier: Apache-2.0
// Conditions, directories, ports, programs, and that nothing outlives a test process.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import {
  awaitCondition,
  findProgram,
  freePorts,
  missingTools,
  runProgram,
  runPython,
  scratchDir,
  TestkitError,
  timingMultiple,
  toolsAvailable,
} from "@meerkat/testkit";
import { afterEach, describe, expect, test, vi } from "vitest";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** State letter of a process as Linux shows it; elsewhere R or, when it is gone, X. */
function stateOf(pid: number): string {
  try {
    process.kill(pid, 0);
    if (!existsSync("/proc/self/stat")) return "R";
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "X";
  } catch {
    return "X";
  }
}

/** Whether a process with this id runs (a zombie does not). */
function runs(pid: number): boolean {
  return !["X", "Z"].includes(stateOf(pid));
}

describe("awaitCondition", () => {
  test("ends as soon as the check holds, even one that threw before", async () => {
    let checks = 0;
    await awaitCondition(() => {
      if (++checks < 3) throw new Error("not yet");
      return true;
    });
    expect(checks).toBe(3);
  });

  test("rejects with TIMEOUT that says what was waited for and why it failed", async () => {
    const error = await awaitCondition(() => Promise.reject(new Error("the reason")), {
      timeoutMs: 5,
      describe: "the impossible",
    }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TestkitError);
    expect(error).toMatchObject({ code: "TIMEOUT", cause: new Error("the reason") });
    expect(String(error)).toContain("for the impossible");
  });

  test("waits longer by TIMING_MULTIPLE", async () => {
    vi.stubEnv("TIMING_MULTIPLE", "20");
    const startMs = performance.now();
    await expect(awaitCondition(() => false, { timeoutMs: 5 })).rejects.toThrow("100 ms");
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(100);
    vi.stubEnv("TIMING_MULTIPLE", "nonsense");
    expect(timingMultiple()).toBe(1);
  });

  test("ends when its signal aborts", async () => {
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(awaitCondition(() => false, { signal })).rejects.toThrow("stop");
  });
});

describe("scratchDir and freePorts", () => {
  test("a directory is empty, its own, and gone with its contents after its use", async () => {
    let path = "";
    {
      await using directory = await scratchDir();
      path = directory.path;
      writeFileSync(directory.join("file"), "x");
      expect((await scratchDir().then(async (other) => [other.path, await other.remove()]))[0]).not.toBe(
        path,
      );
    }
    expect(existsSync(path)).toBe(false);
  });

  test("ports differ from each other", async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
  });
});

describe("missingTools", () => {
  test("finds programs in PATH only", () => {
    expect(findProgram("sh")).toMatch(/\/sh$/);
    vi.stubEnv("PATH", "/nowhere");
    expect(findProgram("sh")).toBeUndefined();
  });

  test("a missing tool is skipped with one line, or fails when all are required", async () => {
    expect(missingTools()).toEqual([]);
    vi.stubEnv("PATH", "/nowhere");
    vi.stubEnv("MEERKAT_REQUIRE_ALL", "0");
    // A fresh module, since what was found once is remembered.
    vi.resetModules();
    const fresh = await import("@meerkat/testkit");
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(fresh.toolsAvailable("some test", "chromium")).toBe(false);
    expect(written.mock.calls).toEqual([["skipped some test: needs chromium, not on this machine\n"]]);
    written.mockRestore();
    vi.stubEnv("MEERKAT_REQUIRE_ALL", "1");
    expect(() => fresh.toolsAvailable("some test", "chromium")).toThrow("MEERKAT_REQUIRE_ALL");
  });
});

describe("runProgram", () => {
  test("reads lines as they come, sends lines, and tells how the program ended", async () => {
    await using program = runProgram("/bin/sh", {
      args: ["-c", "echo one; read x; echo got $x; echo bad >&2; exit 3"],
    });
    expect(await program.line()).toBe("one");
    program.send("two");
    expect(await program.line("got ")).toBe("got two");
    expect(await program.exited).toEqual({ code: 3, signal: null });
    expect(program.output).toContain("bad");
    expect(program.stdout).toBe("one\ngot two\n");
  });

  test("a line that does not come is EXITED after the end and TIMEOUT before, with the output", async () => {
    await using ended = runProgram("/bin/sh", { args: ["-c", "echo why >&2; exit 1"] });
    await expect(ended.line("ready")).rejects.toMatchObject({ code: "EXITED", context: { output: "why\n" } });
    await using silent = runProgram("/bin/sh", { args: ["-c", "read x"] });
    await expect(silent.line("ready", { timeoutMs: 20 })).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  test("signals are real ones", async () => {
    await using program = runProgram("/bin/sh", {
      args: ["-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do read x; done"],
    });
    await program.line("up");
    await program.kill("SIGSTOP");
    if (process.platform === "linux") await awaitCondition(() => stateOf(program.pid) === "T");
    await program.kill("SIGCONT");
    program.endInput();
    await program.kill("SIGKILL");
    expect(program.exit).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("a program that does not exist is NOT_STARTED", () => {
    expect(() => runProgram("/no/such/program")).toThrow(TestkitError);
  });
});

test.runIf(toolsAvailable("Python peers", "python-kazoo"))(
  "runPython runs Debian's Python with kazoo",
  async () => {
    await using directory = await scratchDir();
    const script = directory.join("peer.py");
    writeFileSync(
      script,
      "import sys, kazoo\nprint('ready', kazoo.__version__)\nprint(sys.stdin.readline().strip().upper())\n",
    );
    await using peer = runPython(script);
    expect(await peer.line("ready")).toMatch(/^ready \d+\./);
    peer.send("echo");
    expect(await peer.line()).toBe("ECHO");
  },
);

test("processes and directories of a test process that is killed do not outlive it", async () => {
  // The victim uses the built testkit, as a user's test does.
  const script = `
    import { runProgram, scratchDir } from "@meerkat/testkit";
    const kept = runProgram("/bin/sleep", { args: ["1000"] });
    const ended = runProgram("/bin/true");
    await ended.exited;
    const directory = await scratchDir();
    console.log(JSON.stringify([kept.pid, directory.path]));`;
  await using victim = runProgram(process.execPath, {
    args: ["--input-type=module", "-e", script],
    cwd: import.meta.dirname,
  });
  const [pid, path] = JSON.parse(await victim.line("[")) as [number, string];
  expect([runs(pid), existsSync(path)]).toEqual([true, true]);
  await victim.kill("SIGKILL");
  await awaitCondition(() => !runs(pid) && !existsSync(path), { describe: "the reaper's work" });
});
