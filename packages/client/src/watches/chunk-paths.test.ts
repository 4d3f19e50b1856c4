// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { chunkPaths } from "./chunk-paths.ts";

const none = { data: [], exist: [], child: [], persistent: [], recursive: [] };

test("no paths need no frame", () => {
  expect(chunkPaths(none)).toEqual([]);
});

test("every path is in exactly one chunk, of its kind, and chunks are measured in bytes", () => {
  // Three bytes a character: counting characters would make chunks three times too long.
  const paths = (kind: string): string[] =>
    Array.from({ length: 1_000 }, (_, i) => `/${kind}/${"€".repeat(60)}/${i}`);
  const given = {
    data: paths("d"),
    exist: paths("e"),
    child: paths("c"),
    persistent: paths("p"),
    recursive: paths("r"),
  };
  const chunks = chunkPaths(given);
  for (const kind of ["data", "exist", "child", "persistent", "recursive"] as const) {
    expect(chunks.flatMap((chunk) => chunk[kind])).toEqual(given[kind]);
  }
  for (const chunk of chunks) {
    const bytes = Object.values(chunk)
      .flat()
      .reduce((sum, path) => sum + 4 + Buffer.byteLength(path), 0);
    expect(bytes).toBeLessThan(128 * 1024);
  }
  expect(chunks.length).toBeLessThan(12);
});

test("a path longer than a chunk gets one of its own", () => {
  const long = `/${"x".repeat(200_000)}`;
  expect(chunkPaths({ ...none, data: ["/a", long, "/b"] }).map((chunk) => chunk.data)).toEqual([
    ["/a"],
    [long],
    ["/b"],
  ]);
});
