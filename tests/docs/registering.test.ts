// SPDX-License-Identifier: Apache-2.0
// The guide to other layouts names what there is, where it is.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ZooKeeperClient } from "@meerkat/client";
import * as governance from "@meerkat/governance";
import { describe, expect, it } from "vitest";

const { codecByName, isInstanceCodec, layoutNames, Registry } = governance;

/** Rows of the guide's table of layouts, as cells. */
async function rows(): Promise<string[][]> {
  const guide = await readFile(join(import.meta.dirname, "../../docs/guides/registering.md"), "utf8");
  const table = guide.slice(guide.indexOf("## The layouts"), guide.indexOf("Where nothing else is said"));
  return [...table.matchAll(/^\| `.*\|$/gm)].map(([line]) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe("the guide Registering", () => {
  it("has a line for each layout, with its code and where its members are", async () => {
    const table = await rows();
    expect(table.map(([name]) => name)).toEqual(layoutNames.map((name) => `\`${name}\``));
    await using registry = new ZooKeeperClient("127.0.0.1:1");
    for (const [nameCell = "", code = "", where = "", member = ""] of table) {
      const name = nameCell.slice(1, -1);
      const codec = codecByName(name);
      expect(governance, name).toHaveProperty(/^`(\w+)/.exec(code)?.[1] ?? "");
      const root = new Registry(registry, { codec }).rootOf("NAME");
      if (name === "motan") expect(where).toContain("/motan/GROUP/SERVICE/server");
      else expect(where, name).toContain(`\`${root}\``);
      expect(member.includes("read only"), name).toBe(!isInstanceCodec(codec));
    }
  });
});
