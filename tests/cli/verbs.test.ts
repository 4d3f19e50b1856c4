// SPDX-License-Identifier: Apache-2.0
// Every verb of the command against both servers, with its exit code, text and JSON.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ZooKeeperClient } from "@meerkat/client";
import { awaitCondition, scratchDir } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { meerkat, type Outcome, type RunOptions, startMeerkat } from "./support/meerkat.ts";

/** The fields of `stat` in every `--json`. */
const STAT_KEYS = [
  "czxid",
  "mzxid",
  "ctimeMs",
  "mtimeMs",
  "version",
  "cversion",
  "aversion",
  "ephemeralOwner",
  "dataLength",
  "numChildren",
  "pzxid",
];

describeEachZooKeeper("the command's verbs", (zk) => {
  const run = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
    meerkat(args, { ...options, env: { MEERKAT_ZOOKEEPER: zk.hosts, ...options.env } });
  /** Runs a command that must succeed and gives its stdout. */
  const ok = async (args: readonly string[], options: RunOptions = {}): Promise<string> => {
    const outcome = await run(args, options);
    expect({ args, code: outcome.code, stderr: outcome.stderr }).toEqual({ args, code: 0, stderr: "" });
    return outcome.stdout;
  };
  const json = async (args: readonly string[]): Promise<unknown> => JSON.parse(await ok([...args, "--json"]));

  /** Prepares znodes without the command, which takes a process each time. */
  const put = async (data: string, ...paths: readonly string[]): Promise<void> => {
    await using client = await ZooKeeperClient.connect(zk.hosts);
    for (const path of paths) await client.create(path, data, { createParents: true });
  };

  test("create prints the path, get the data byte for byte", async () => {
    expect(await ok(["create", "/a", "hello"])).toBe("/a\n");
    expect(await ok(["get", "/a"])).toBe("hello");
    expect(await json(["get", "/a"])).toEqual({
      path: "/a",
      data: "hello",
      encoding: "utf8",
      stat: expect.objectContaining({ version: 0, dataLength: 5, ephemeralOwner: "0" }),
    });
  });

  test("data comes from an argument, a file or standard input", async () => {
    await using folder = await scratchDir();
    const file = join(folder.path, "data.bin");
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    await writeFile(file, bytes);
    await ok(["create", "/file", "--file", file]);
    expect((await run(["get", "/file"])).bytes).toEqual(bytes);
    expect(await json(["get", "/file"])).toMatchObject({
      data: bytes.toString("base64"),
      encoding: "base64",
    });
    await ok(["create", "/stdin", "-"], { input: bytes });
    expect((await run(["get", "/stdin"])).bytes).toEqual(bytes);
    await ok(["set", "/stdin", "--file", "-"], { input: "second" });
    expect(await ok(["get", "/stdin"])).toBe("second");
    await ok(["create", "/empty"]);
    expect(await ok(["get", "/empty"])).toBe("");
  });

  test("set checks the version when told to", async () => {
    await put("1", "/v");
    expect(await ok(["set", "/v", "2", "--version", "0"])).toBe("/v is now at version 1\n");
    const stale = await run(["set", "/v", "3", "--version", "0"]);
    expect(stale.code).toBe(1);
    expect(stale.stderr).toMatch(/^meerkat: .+\n {2}hint: .*meerkat stat/);
    expect(stale.stdout).toBe("");
    expect(await ok(["get", "/v"])).toBe("2");
    expect(await json(["set", "/v", "4"])).toEqual({
      path: "/v",
      stat: expect.objectContaining({ version: 2 }),
    });
  });

  test("ls lists names, paths of everything below, and stats", async () => {
    await put("x", "/d/b/c", "/d/a", "/d/b/a");
    expect(await ok(["ls", "/d"])).toBe("a\nb\n");
    expect(await json(["ls", "/d"])).toEqual(["a", "b"]);
    expect(await ok(["ls", "-R", "/d"])).toBe("/d/a\n/d/b\n/d/b/a\n/d/b/c\n");
    expect(await json(["ls", "--recursive", "/d"])).toEqual(["/d/a", "/d/b", "/d/b/a", "/d/b/c"]);
    expect(await json(["ls", "--stat", "/d"])).toEqual([
      { path: "/d/a", stat: expect.objectContaining({ dataLength: 1, numChildren: 0 }) },
      { path: "/d/b", stat: expect.objectContaining({ dataLength: 0, numChildren: 2 }) },
    ]);
    const table = (await ok(["ls", "-s", "/d"])).split("\n");
    expect(table[0]).toMatch(/^NAME +VERSION +BYTES +CHILDREN +OWNER +MODIFIED$/);
    expect(table[1]).toMatch(/^a +0 +1 +0 +- +\d{4}-\d\d-\d\dT/);
    expect(await ok(["ls", "/d/a"])).toBe("");
    expect(await json(["ls", "/d/a"])).toEqual([]);
  });

  test("tree draws the subtree to the depth asked for", async () => {
    await put("xyz", "/t/a/b", "/t/c");
    expect(await ok(["tree", "/t"])).toBe("/t\n├─ a\n│  └─ b  3 B\n└─ c  3 B\n");
    expect(await ok(["tree", "/t", "--depth", "1"])).toBe("/t\n├─ a  1 children\n└─ c  3 B\n");
    expect(await json(["tree", "/t"])).toMatchObject({
      path: "/t",
      children: [
        { path: "/t/a", children: [{ path: "/t/a/b", children: [] }] },
        { path: "/t/c", stat: { dataLength: 3 } },
      ],
    });
  });

  test("stat prints what the server knows", async () => {
    await put("data", "/s");
    const { path, stat } = (await json(["stat", "/s"])) as { path: string; stat: object };
    expect(path).toBe("/s");
    expect(Object.keys(stat)).toEqual(STAT_KEYS);
    const text = await ok(["stat", "/s"]);
    expect(text).toMatch(/^version +0$/m);
    expect(text).toMatch(/^data length +4$/m);
    expect(text).toMatch(/^created +\d{4}-\d\d-\d\dT\S+ +zxid 0x[0-9a-f]+$/m);
    const missing = await run(["stat", "/nothing"]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("/nothing");
  });

  test("create makes every kind of znode", async () => {
    expect(await ok(["create", "/q", "--sequential"])).toBe("/q0000000000\n");
    expect(await ok(["create", "/q", "--mode", "persistent-sequential"])).toBe("/q0000000001\n");
    expect(await ok(["create", "/container", "--container"])).toBe("/container\n");
    expect(await ok(["create", "/ttl", "--ttl", "60000"])).toBe("/ttl\n");
    expect(await ok(["create", "/ttl", "--ttl", "60000", "--sequential"])).toMatch(/^\/ttl\d{10}\n$/);
    expect(await json(["create", "/p/x/y", "--parents"])).toEqual({
      path: "/p/x/y",
      stat: expect.anything(),
    });
    const again = await run(["create", "/p/x/y"]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("/p/x/y");
    const orphan = await run(["create", "/none/x"]);
    expect(orphan.code).toBe(1);
    expect(orphan.stderr).toContain("--parents");
  });

  test("an ephemeral znode lives as long as the command that made it", async () => {
    await using holder = startMeerkat(["create", "-e", "/e", "-z", zk.hosts]);
    expect(await holder.line()).toBe("/e");
    expect(await json(["stat", "/e"])).toMatchObject({
      stat: { ephemeralOwner: expect.stringMatching(/^-?[1-9]\d+$/) },
    });
    await holder.kill("SIGINT");
    expect(holder.exit).toEqual({ code: 0, signal: null });
    expect((await run(["stat", "/e"])).code).toBe(1);
  });

  test("rm removes one znode, or all below it, and refuses the root", async () => {
    await put("", "/r/a/b");
    const full = await run(["rm", "/r"]);
    expect(full.code).toBe(1);
    expect(full.stderr).toContain("rm -r");
    expect((await run(["rm", "/r/a/b", "--version", "7"])).code).toBe(1);
    expect(await ok(["rm", "/r/a/b", "--version", "0"])).toBe("/r/a/b removed\n");
    expect(await json(["rm", "-r", "/r"])).toEqual({ path: "/r", removed: true });
    expect((await run(["rm", "/r"])).code).toBe(1);
    expect(await json(["rm", "-f", "/r"])).toEqual({ path: "/r", removed: false });
    for (const path of ["/", "/zookeeper"]) {
      const refused = await run(["rm", "-r", path]);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain("refusing");
    }
  });

  test("acl prints and replaces who may do what, and --auth is let in", async () => {
    await put("secret", "/acl");
    expect(await ok(["acl", "/acl"])).toBe("world:anyone:cdrwa\n");
    const auth = ["--auth", "digest:bob:pass word"];
    expect(await ok(["acl", "/acl", "--set", "creator", ...auth])).toMatch(/^digest:bob:\S+:cdrwa\n$/);
    const refused = await run(["get", "/acl"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("--auth");
    expect(await ok(["get", "/acl", ...auth])).toBe("secret");
    expect(await ok(["get", "/acl"], { env: { MEERKAT_AUTH: "digest:bob:pass word\n" } })).toBe("secret");
    expect(await json(["acl", "/acl", ...auth])).toEqual({
      path: "/acl",
      acl: [{ scheme: "digest", id: expect.stringMatching(/^bob:/), permissions: "cdrwa" }],
      version: 1,
    });
    await ok(["create", "/readable", "x", "--acl", "world:anyone:r"]);
    expect((await run(["set", "/readable", "y"])).code).toBe(1);
  });

  test("sync answers", async () => {
    expect(await json(["sync", "/"])).toEqual({ path: "/", synced: true });
  });

  test("watch prints changes as they happen and ends after the count asked for", async () => {
    await using watching = startMeerkat(["watch", "/w", "--recursive", "--json", "-n", "4", "-z", zk.hosts]);
    await awaitCondition(() => watching.output.includes("watching /w"), { describe: "the watch" });
    await ok(["create", "/w"]);
    await ok(["create", "/w/a"]);
    await ok(["set", "/w/a", "1"]);
    await ok(["rm", "/w/a"]);
    await watching.exited;
    const events = watching.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(events).toEqual([
      { time: expect.stringMatching(/Z$/), type: "created", path: "/w" },
      { time: expect.anything(), type: "created", path: "/w/a" },
      { time: expect.anything(), type: "dataChanged", path: "/w/a" },
      { time: expect.anything(), type: "deleted", path: "/w/a" },
    ]);
    expect(watching.exit?.code).toBe(0);
  });

  test("watch without --recursive tells of the znode and its children, until SIGTERM", async () => {
    await put("", "/w1");
    await using watching = startMeerkat(["watch", "/w1", "-z", zk.hosts]);
    await awaitCondition(() => watching.output.includes("watching /w1"), { describe: "the watch" });
    await ok(["set", "/w1", "1"]);
    expect(await watching.line()).toMatch(/^\S+Z {2}dataChanged {6}\/w1$/);
    await ok(["create", "/w1/child"]);
    expect(await watching.line()).toMatch(/childrenChanged {2}\/w1$/);
    await watching.kill("SIGTERM");
    expect(watching.exit).toEqual({ code: 0, signal: null });
  });

  test("flags before the command's name and $MEERKAT_ZOOKEEPER both say where ZooKeeper is", async () => {
    await put("", "/here");
    const nowhere = { MEERKAT_ZOOKEEPER: "127.0.0.1:1" };
    expect((await run(["-z", zk.hosts, "ls", "/"], { env: nowhere })).stdout).toBe("here\n");
    expect((await run(["ls", "/", "--zookeeper", zk.hosts], { env: nowhere })).stdout).toBe("here\n");
  });
});

describeEachZooKeeper(
  "a watch",
  (zk) => {
    test("survives a restart of the server and tells of the gap", async () => {
      const run = (args: readonly string[]): Promise<Outcome> => meerkat([...args, "-z", zk.hosts]);
      await run(["create", "/w"]);
      await using watching = startMeerkat(["watch", "/w", "-z", zk.hosts]);
      await awaitCondition(() => watching.output.includes("watching /w"), { describe: "the watch" });
      await zk.stop();
      await awaitCondition(() => watching.output.includes("connection lost"), { describe: "the loss" });
      await zk.start();
      await watching.line(/resync/);
      await run(["set", "/w", "1"]);
      expect(await watching.line(/dataChanged/)).toContain("/w");
    });
  },
  { durable: true },
);

describe("without a server", () => {
  test("the command fails in the time allowed, says where it looked and what to do", async () => {
    const outcome = await meerkat(["ls", "/", "-z", "127.0.0.1:1", "--timeout", "300"]);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toBe("");
    expect(outcome.stderr).toContain("127.0.0.1:1");
    expect(outcome.stderr).toContain("hint: is ZooKeeper running there?");
  });
});
