// SPDX-License-Identifier: Apache-2.0
// What the README and the guides show is what runs.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const run = promisify(execFile);

/** The Markdown files that users read. */
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "STYLE.md",
  ...readdirSync(join(root, "docs"), { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
];

/** npm scripts named in a page. */
function scriptsIn(page: string): string[] {
  return [...read(page).matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1] as string);
}

/** Relative link targets of a page, without anchors. */
function linksIn(page: string): string[] {
  return [...read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map((match) => match[1] as string)
    .filter((target) => !/^[a-z]+:/.test(target));
}

describe("the README", () => {
  it("shows the quick start as it is in the repository", () => {
    const shown = /```ts\n([\s\S]*?)\n```/.exec(read("README.md"))?.[1];
    expect(shown).toBe(read("examples/quickstart.ts").trim());
  });

  it("shows a quick start that works", async () => {
    const { stdout } = await run(process.execPath, [join(root, "examples/dist/quickstart.js")]);
    expect(stdout).toBe("200 / 100 = 2\n");
  });
});

describe("the pages", () => {
  it.each(pages)("%s names only scripts that exist", (page) => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    expect(scriptsIn(page).filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it.each(pages)("%s links only to what exists", (page) => {
    const missing = linksIn(page).filter((target) => !existsSync(join(root, dirname(page), target)));
    expect(missing).toEqual([]);
  });
});
