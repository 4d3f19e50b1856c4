// SPDX-License-Identifier: Apache-2.0
// The demo as a user runs it: no call may fail and nothing may be left behind.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ZooKeeperClient } from "@meerkat/client";
import { EmbeddedServer } from "@meerkat/server";
import { awaitCondition, type Program, scratchDir } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { startMeerkat } from "../cli/support/meerkat.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const DEMO_TIMEOUT_MS = 60_000;

interface Summary {
  readonly calls: number;
  readonly failures: number;
  readonly byServer: Readonly<Record<string, number>>;
  readonly joinMs: number;
  readonly ejectMs: number;
}

/** What the demo promises about every good run. */
function expectGoodRun(demo: Program, summary: Summary): void {
  expect({ exit: demo.exit, output: demo.exit?.code === 0 ? "" : demo.output }).toEqual({
    exit: { code: 0, signal: null },
    output: "",
  });
  expect(summary.failures).toBe(0);
  expect(summary.calls).toBeGreaterThan(100);
  const shares = Object.values(summary.byServer);
  expect(shares).toHaveLength(3);
  for (const share of shares) expect(share).toBeGreaterThan(10);
  expect(shares.reduce((sum, share) => sum + share, 0)).toBe(summary.calls);
  expect(summary.joinMs).toBeGreaterThanOrEqual(0);
  expect(summary.joinMs).toBeLessThan(2_000);
  expect(summary.ejectMs).toBeGreaterThanOrEqual(0);
  expect(summary.ejectMs).toBeLessThan(1_000);
}

/** Processes whose command line holds `text`. */
async function processesWith(text: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (line.includes(text)) found.push(`${pid} ${line.replaceAll("\0", " ")}`);
  }
  return found;
}

describe("the demo on its own server", () => {
  test(
    "tells the whole story with no failed call and leaves nothing behind",
    async () => {
      await using folder = await scratchDir();
      const file = join(folder.path, "summary.json");
      await using temporary = await scratchDir();
      await using demo = startMeerkat(["demo", "--json", file], { TMPDIR: temporary.path });
      await demo.exited;
      expectGoodRun(demo, JSON.parse(await readFile(file, "utf8")) as Summary);
      expect(demo.stdout).toMatch(/live list: server\d{10} \(\d+\), server\d{10} \(\d+\)/);
      expect(demo.stdout).toMatch(/ 0 failed, \d+ made good by another server/);
      expect(await readdir(temporary.path)).toEqual([]);
    },
    DEMO_TIMEOUT_MS,
  );

  test(
    "takes free ports where the seed's are taken, and counts only its own servers",
    async () => {
      // Whoever gets the ports first, the demo or this test, the other must cope.
      const blockers = await Promise.allSettled(
        [8001, 8002, 8003].map((port) => EmbeddedServer.start({ memory: true, port })),
      );
      try {
        await using demo = startMeerkat(["demo", "--json", "-"]);
        await demo.exited;
        const summary = JSON.parse(demo.stdout) as Summary;
        expectGoodRun(demo, summary);
        for (const key of Object.keys(summary.byServer)) expect(key).not.toMatch(/:800[123]$/);
      } finally {
        for (const blocker of blockers) if (blocker.status === "fulfilled") await blocker.value.close();
      }
    },
    DEMO_TIMEOUT_MS,
  );

  test.each(["SIGINT", "SIGKILL"] as const)(
    "ends its processes and removes its folder when it gets %s in the middle",
    async (signal) => {
      await using temporary = await scratchDir();
      await using demo = startMeerkat(["demo"], { TMPDIR: temporary.path });
      await demo.line(/A client finds and calls both …/);
      expect(await readdir(temporary.path)).toEqual([expect.stringMatching(/^meerkat-demo-/)]);
      const address = /embedded server at (\S+)/.exec(demo.output)?.[1] ?? "";
      expect(await processesWith(address)).not.toEqual([]);
      await demo.kill(signal);
      if (signal === "SIGINT") expect(demo.exit).toEqual({ code: 130, signal: null });
      // The server's command line holds the folder, the divide servers' hold the server's address.
      for (const text of [temporary.path, address]) {
        await awaitCondition(async () => (await processesWith(text)).length === 0, {
          describe: "the end of the processes",
        });
      }
      await awaitCondition(async () => (await readdir(temporary.path)).length === 0, {
        describe: "the end of the folder",
      });
    },
    DEMO_TIMEOUT_MS,
  );
});

describe("a demo that goes wrong", () => {
  test(
    "fails and names the server that died without being meant to",
    async () => {
      await using temporary = await scratchDir();
      const file = temporary.join("summary.json");
      await using demo = startMeerkat(["demo", "--json", file], { TMPDIR: temporary.path });
      await demo.line(/A client finds and calls both …/);
      const address = /embedded server at (\S+)/.exec(demo.output)?.[1] ?? "";
      const servers = (await processesWith(address)).filter((line) => line.includes("divide/server.js"));
      const victim = servers.find((line) => !line.includes(" 8001 ")) ?? "";
      process.kill(Number.parseInt(victim, 10), "SIGKILL");
      await demo.exited;
      expect(demo.exit).toEqual({ code: 1, signal: null });
      expect(demo.output).toMatch(/meerkat: the divide server on port \d+ was ended by SIGKILL/);
      const summary = JSON.parse(await readFile(file, "utf8")) as Summary;
      expect(summary).toMatchObject({ failures: 0, ejectMs: null });
      expect(await readdir(temporary.path)).toEqual(["summary.json"]);
      expect(await processesWith(address)).toEqual([]);
    },
    DEMO_TIMEOUT_MS,
  );

  test("says that the ZooKeeper it was given does not answer", async () => {
    await using demo = startMeerkat(["demo", "--zookeeper", "127.0.0.1:1"]);
    await demo.exited;
    expect(demo.exit).toEqual({ code: 1, signal: null });
    expect(demo.output).toContain("127.0.0.1:1");
    expect(demo.output).toContain("hint: is ZooKeeper running there?");
  });
});

describeEachZooKeeper("the demo on a ZooKeeper that is there", (zk) => {
  test(
    "keeps away from the services of others and removes what it made",
    async () => {
      await using folder = await scratchDir();
      const file = join(folder.path, "summary.json");
      const client = await ZooKeeperClient.connect(zk.hosts);
      await client.create("/rpc/server0000000000", '{"host": "127.0.0.1", "port": 1}', {
        createParents: true,
      });
      await using demo = startMeerkat(["demo", "--zookeeper", zk.hosts, "--json", file]);
      await demo.exited;
      const children = (await client.children("/")).children;
      const services = (await client.children("/rpc")).children;
      await client.close();
      expectGoodRun(demo, JSON.parse(await readFile(file, "utf8")) as Summary);
      expect({ children, services }).toEqual({ children: ["rpc"], services: ["server0000000000"] });
    },
    DEMO_TIMEOUT_MS,
  );
});
