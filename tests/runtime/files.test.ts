// SPDX-License-Identifier: Apache-2.0
// The system's files, in a directory of their own.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type OpenFile, systemFiles } from "@meerkat/runtime";
import { awaitCondition, runProgram, type ScratchDir, scratchDir } from "@meerkat/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

let directory: ScratchDir;
const opened: OpenFile[] = [];

beforeEach(async () => {
  directory = await scratchDir();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((file) => file.close()));
  await directory.remove();
});

async function open(...args: Parameters<typeof systemFiles.open>): Promise<OpenFile> {
  const file = await systemFiles.open(...args);
  opened.push(file);
  return file;
}

describe("systemFiles", () => {
  test("writes at positions and reads back, short only at the end", async () => {
    const file = await open(directory.join("f"), "create");
    await file.write(Buffer.from("world"), 6);
    await file.write(Buffer.from("hello "), 0);
    await file.dataSync();
    expect(await file.size()).toBe(11);
    const into = Buffer.alloc(20, "-");
    expect(await file.read(into, 0)).toBe(11);
    expect(into.toString()).toBe("hello world---------");
    expect(await file.read(into, 11)).toBe(0);
  });

  test("writes that are to be durable are in the file as well", async () => {
    const file = await open(directory.join("f"), "create", { durableWrites: true });
    const bytes = Buffer.alloc(300_000, 5);
    await file.write(bytes, 0);
    expect(readFileSync(file.path).equals(bytes)).toBe(true);
  });

  test("create empties an old file, modify keeps it, read cannot write", async () => {
    const path = directory.join("f");
    writeFileSync(path, "old");
    const kept = await open(path, "modify");
    expect(await kept.size()).toBe(3);
    const readOnly = await open(path, "read");
    await expect(readOnly.write(Buffer.from("x"), 0)).rejects.toMatchObject({ code: "EBADF" });
    const emptied = await open(path, "create");
    expect(await emptied.size()).toBe(0);
    await expect(systemFiles.open(directory.join("none"), "modify")).rejects.toMatchObject({
      code: "ENOENT",
    });
    await expect(systemFiles.open(directory.join("none"), "read")).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("truncate cuts a file and fills it up with zeros", async () => {
    const file = await open(directory.join("f"), "create");
    await file.write(Buffer.from("abcdef"), 0);
    await file.truncate(2);
    await file.truncate(4);
    const into = Buffer.alloc(4, 1);
    expect(await file.read(into, 0)).toBe(4);
    expect(into).toEqual(Buffer.from("ab\0\0"));
  });

  test("close may be called twice", async () => {
    const file = await open(directory.join("f"), "create");
    await Promise.all([file.close(), file.close()]);
  });

  test("lists, describes, renames over and removes by name", async () => {
    await systemFiles.makeDirectory(directory.join("a/b"));
    await systemFiles.makeDirectory(directory.join("a/b"));
    for (const name of ["x", "y"]) writeFileSync(directory.join("a/b", name), name);
    expect((await systemFiles.list(directory.join("a/b"))).sort()).toEqual(["x", "y"]);
    const info = await systemFiles.info(directory.join("a/b/x"));
    expect(info.bytes).toBe(1);
    expect(Math.abs(info.modifiedMs - Date.now())).toBeLessThan(60_000);
    await systemFiles.rename(directory.join("a/b/x"), directory.join("a/b/y"));
    await systemFiles.syncDirectory(directory.join("a/b"));
    expect(readFileSync(directory.join("a/b/y"), "utf8")).toBe("x");
    await systemFiles.remove(directory.join("a/b/y"));
    await systemFiles.remove(directory.join("a/b/y"));
    expect(await systemFiles.list(directory.join("a/b"))).toEqual([]);
    await expect(systemFiles.info(directory.join("a/b/y"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("a lock file", () => {
  test("is held by one, in this process too, until it is released", async () => {
    const path = directory.join("lock");
    const release = await systemFiles.lock(path);
    expect(release).toBeDefined();
    expect(await systemFiles.lock(path)).toBeUndefined();
    await release?.();
    expect(existsSync(path)).toBe(false);
    const again = await systemFiles.lock(path);
    expect(again).toBeDefined();
    await again?.();
  });

  test("is given to one of many that ask at once", async () => {
    const path = directory.join("lock");
    const releases = await Promise.all(Array.from({ length: 20 }, () => systemFiles.lock(path)));
    expect(releases.filter((release) => release !== undefined).length).toBe(1);
  });

  test.each([
    ["of a process that is gone", JSON.stringify({ pid: 2 ** 22 + 1, born: "1" })],
    ["of an earlier process with our id", JSON.stringify({ pid: process.pid, born: "1" })],
    ["that a crash cut short", '{"pid":'],
    ["that is empty", ""],
  ])("%s is taken over, by one of many", async (_case, content) => {
    const path = directory.join("lock");
    writeFileSync(path, content);
    const releases = await Promise.all(Array.from({ length: 10 }, () => systemFiles.lock(path)));
    expect(releases.filter((release) => release !== undefined).length).toBe(1);
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pid: process.pid });
  });

  test("of another process holds while that process lives, and not longer", async () => {
    const path = directory.join("lock");
    const script = `
      import { systemFiles } from "@meerkat/runtime";
      console.log((await systemFiles.lock(${JSON.stringify(path)})) === undefined ? "refused" : "held");
      setInterval(() => {}, 1000);`;
    const holder = runProgram(process.execPath, {
      args: ["--input-type=module", "-e", script],
      cwd: import.meta.dirname,
    });
    expect(await holder.line()).toBe("held");
    expect(await systemFiles.lock(path)).toBeUndefined();
    await holder.kill("SIGKILL");
    await awaitCondition(async () => (await systemFiles.lock(path)) !== undefined);
  });
});
