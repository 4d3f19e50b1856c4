// SPDX-License-Identifier: Apache-2.0
// The guides about the client show programs that exist, and that do what the guides say.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ZooKeeperClient } from "@meerkat/client";
import { EmbeddedServer } from "@meerkat/server";
import { awaitCondition } from "@meerkat/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import * as snippets from "./guide-snippets.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Text without the indentation that all its lines share. */
function dedented(text: string): string {
  const lines = text.split("\n");
  const indent = Math.min(...lines.filter((line) => line !== "").map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(indent)).join("\n");
}

describe("the guides", () => {
  test("show the programs of this folder as they are", async () => {
    const source = await readFile(join(import.meta.dirname, "guide-snippets.ts"), "utf8");
    const regions = [...source.matchAll(/\/\/ #region \S+\n([\s\S]*?)\n\s*\/\/ #endregion/g)].map(
      ([, text = ""]) => dedented(text),
    );
    const shown: string[] = [];
    for (const guide of ["sessions-and-states.md", "migrating.md"]) {
      const text = await readFile(join(ROOT, "docs/guides", guide), "utf8");
      for (const [, block = ""] of text.matchAll(/```ts\n([\s\S]*?)\n```/g)) shown.push(block);
    }
    expect(shown.toSorted()).toEqual(regions.toSorted());
  });
});

describe("the guides' programs", () => {
  let server: EmbeddedServer;
  let client: ZooKeeperClient;

  beforeAll(async () => {
    server = await EmbeddedServer.start({ memory: true });
  });

  afterAll(async () => {
    await server.close();
  });

  beforeEach(async () => {
    vi.spyOn(console, "log").mockImplementation(() => {});
    client = await snippets.connecting(server.connectString);
  });

  afterEach(async () => {
    await client.deleteRecursive("/");
    await client.close();
    vi.restoreAllMocks();
  });

  test("work only while the session is vouched for", async () => {
    let steps = 0;
    await snippets.workingUnderSession(client, (signal) => {
      expect(signal.aborted).toBe(false);
      return Promise.resolve(++steps < 3);
    });
    expect(steps).toBe(3);
    expect(await client.getAllChildrenNumber("/workers")).toBe(1);
  });

  test("keep an ephemeral znode", async () => {
    const controller = new AbortController();
    const kept = snippets.keepingEphemeral(client, controller.signal);
    await awaitCondition(
      async () => (await client.exists("/members/me"))?.ephemeralOwner === client.sessionId,
    );
    controller.abort();
    await kept;
  });

  test("retry, hand over and handle errors", async () => {
    await client.create("/status");
    await snippets.retrying(client);
    expect((await client.get("/status")).data.toString()).toBe("ready");
    await client.create("/config");
    await snippets.handlingErrors(client);
    await snippets.handlingErrors(client);
    const { sessionId } = client;
    client = await snippets.handingOver(client, server.connectString);
    expect(client.sessionId).toBe(sessionId);
  });

  test("follow a value and a subtree", async () => {
    await client.create("/config/limit", "1", { createParents: true });
    const limits: number[] = [];
    const watched = snippets.watching(client, (limit) => limits.push(limit));
    let reloads = 0;
    const followed = snippets.watchingSubtree(client, () => {
      reloads++;
      return Promise.resolve();
    });
    await awaitCondition(() => limits.length === 1 && reloads === 1);
    await client.set("/config/limit", "2");
    await awaitCondition(() => limits.includes(2) && reloads === 2);
    await client.deleteRecursive("/config");
    await Promise.all([watched, followed]);
    expect(reloads).toBe(4);
  });
});
