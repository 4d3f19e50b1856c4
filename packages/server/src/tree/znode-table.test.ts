// SPDX-License-Identifier: Apache-2.0
import { type Random, randomInt, seededRandom } from "@meerkat/runtime";
import { GetDataResponse, JuteReader, JuteWriter } from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import type { NewZnode } from "./znode-records.ts";
import { NO_ROW, ROOT_ROW, ZnodeTable } from "./znode-table.ts";

const blank: NewZnode = {
  data: null,
  czxid: 1,
  mzxid: 2,
  pzxid: 3,
  ctimeMs: 4,
  mtimeMs: 5,
  version: 6,
  cversion: 7,
  aversion: 8,
  ephemeralOwner: 0n,
  acl: 0,
};

function newTable(): ZnodeTable {
  return new ZnodeTable(1, { ...blank, cversion: 0 });
}

function childNames(table: ZnodeTable, row: number): string[] {
  const names: string[] = [];
  for (let child = table.firstChild(row); child !== NO_ROW; child = table.nextSibling(child)) {
    names.push(table.name(child));
  }
  return names;
}

/** Names that share prefixes, are empty of ASCII, or long. */
function randomName(random: Random): string {
  const kinds = ["n", "é", "日本", "x".repeat(randomInt(random, 400)), "node-0000"];
  return `${kinds[randomInt(random, kinds.length)]}${randomInt(random, 300)}`;
}

describe("ZnodeTable", () => {
  it("does what a map of paths does, over many random inserts, removes and changes of data", () => {
    const random = seededRandom(7);
    const table = newTable();
    const model = new Map<string, Buffer | null>([["", null]]);
    const paths = [""];
    for (let step = 0; step < 6000; step++) {
      const at = randomInt(random, paths.length);
      const path = paths[at] as string;
      const row = table.findText(path);
      const size = randomInt(random, 3) === 0 ? randomInt(random, 3000) : randomInt(random, 60);
      const data = randomInt(random, 10) === 0 ? null : Buffer.alloc(size, step);
      const choice = randomInt(random, 10);
      if (choice < 5 && path.length < 1500) {
        const name = randomName(random);
        const child = `${path}/${name}`;
        if (model.has(child)) continue;
        table.insert(row, name, { ...blank, data });
        model.set(child, data);
        paths.push(child);
      } else if (choice < 8 && path !== "" && table.numChildren(row) === 0) {
        table.remove(row);
        model.delete(path);
        paths.splice(at, 1);
      } else {
        table.replaceData(row, data);
        model.set(path, data);
      }
    }
    expect(table.count).toBe(model.size);
    const children = new Map<string, string[]>();
    for (const path of model.keys()) {
      if (path === "") continue;
      const slash = path.lastIndexOf("/");
      const parent = path.slice(0, slash);
      children.set(parent, [...(children.get(parent) ?? []), path.slice(slash + 1)]);
    }
    for (const [path, data] of model) {
      const row = table.findText(path);
      const bytes = Buffer.from(path);
      expect(row).not.toBe(NO_ROW);
      expect(table.find(bytes, 0, bytes.length)).toBe(row);
      expect(table.path(row)).toBe(path === "" ? "/" : path);
      const kept = table.data(row);
      expect(kept === null ? null : Buffer.compare(kept, data ?? Buffer.alloc(0))).toBe(
        data === null ? null : 0,
      );
      const names = children.get(path) ?? [];
      expect(childNames(table, row).sort()).toEqual(names.sort());
      expect(table.numChildren(row)).toBe(names.length);
    }
    for (const path of [...model.keys()].sort((a, b) => b.length - a.length)) {
      if (path !== "") table.remove(table.findText(path));
    }
    expect(table.count).toBe(1);
    expect(table.firstChild(ROOT_ROW)).toBe(NO_ROW);
  });

  it("finds nothing for paths that no znode can have", () => {
    const table = newTable();
    table.insert(ROOT_ROW, "a", blank);
    for (const path of ["a", "/a/", "//a", "/a//", "/b", "/a/b", " /a", "/\u0000", "/A"]) {
      expect(table.findText(path), path).toBe(NO_ROW);
      expect(table.find(Buffer.from(path), 0, Buffer.byteLength(path)), path).toBe(NO_ROW);
    }
    expect(table.findText("")).toBe(ROOT_ROW);
    expect(table.findText("/")).toBe(ROOT_ROW);
  });

  it("writes replies that a client reads back field by field", () => {
    const table = newTable();
    const row = table.insert(ROOT_ROW, "a", {
      ...blank,
      data: Buffer.from("hello"),
      czxid: 0x1_2345_6789,
      ephemeralOwner: -5n,
    });
    table.insert(row, "b", blank);
    const writer = new JuteWriter(64);
    table.writeDataAndStat(row, writer);
    const { data, stat } = GetDataResponse.read(new JuteReader(writer.take()));
    expect(data?.toString()).toBe("hello");
    expect(stat.toObject()).toEqual({
      czxid: 0x1_2345_6789n,
      mzxid: 2n,
      pzxid: 3n,
      ctimeMs: 4,
      mtimeMs: 5,
      version: 6,
      cversion: 13,
      aversion: 8,
      ephemeralOwner: -5n,
      dataLength: 5,
      numChildren: 1,
    });
  });

  it("shows twice the creates less the children as cversion and computes the stored one back", () => {
    const table = newTable();
    for (const cversion of [0, 1, 2, 1_000_000, 0x7fffffff]) {
      table.setCversion(ROOT_ROW, cversion);
      expect(table.cversion(ROOT_ROW)).toBe(cversion);
      const child = table.insert(ROOT_ROW, `c${cversion}`, blank);
      expect(table.cversion(ROOT_ROW)).toBe(cversion);
      table.remove(child);
      expect(table.cversion(ROOT_ROW)).toBe(cversion);
    }
  });

  it("gives memory back: as many bytes are in use after a round trip as before", () => {
    const table = newTable();
    const before = table.recordBytes;
    for (const size of [0, 10, 1024, 1025, 100_000, 5_000_000]) {
      const row = table.insert(ROOT_ROW, "big", { ...blank, data: Buffer.alloc(size) });
      table.replaceData(row, Buffer.alloc(size * 2 + 1));
      table.remove(row);
    }
    expect(table.recordBytes).toBe(before);
  });
});
