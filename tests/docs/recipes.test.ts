// SPDX-License-Identifier: Apache-2.0
// The guide's examples are the example files, and each prints what the guide shows.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import * as recipes from "@meerkat/recipes";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const guide = readFileSync(join(ROOT, "docs/recipes.md"), "utf8");
const run = promisify(execFile);

const examples = [
  ...guide.matchAll(
    /```ts\n\/\/ (examples\/recipes\/\S+\.ts)\n([\s\S]*?)```\n(?:\n```text\n([\s\S]*?)```)?/g,
  ),
].map(([, path = "", text = "", output = ""]) => ({ path, text, output }));

describe("the guide Recipes", () => {
  it("shows every example once", () => {
    const files = readdirSync(join(ROOT, "examples/recipes")).filter((name) => name.endsWith(".ts"));
    expect(examples.map(({ path }) => basename(path)).sort()).toEqual(files.sort());
  });

  it("names every recipe", () => {
    const isRecipe = (name: string): boolean =>
      /^[A-Z]\w*(Lock|Semaphore|Election|Latch|Barrier|Counter|Long|Integer|Queue|Party|Partitioner|Node|Cache)$/.test(
        name,
      ) && !["BaseQueue", "WriteLock", "ZnodeCache"].includes(name);
    const missing = Object.keys(recipes).filter((name) => isRecipe(name) && !guide.includes(name));
    expect(missing).toEqual([]);
  });

  it.each(examples)("has an example $path that does what is shown", async ({ path, text, output }) => {
    const file = readFileSync(join(ROOT, path), "utf8");
    expect(text).toBe(file.slice(file.indexOf("\n") + 1));
    const program = join(ROOT, "examples/dist/recipes", `${basename(path, ".ts")}.js`);
    const { stdout, stderr } = await run(process.execPath, [program]);
    expect({ stdout, stderr }).toEqual({ stdout: output, stderr: "" });
  });
});
