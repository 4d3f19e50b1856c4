// SPDX-License-Identifier: Apache-2.0
// What an operator sees: four-letter words, HTTP commands, metrics, a server started from a zoo.cfg.
import { writeFile } from "node:fs/promises";
import { EmbeddedServer, loadServerConfig } from "@meerkat/server";
import { awaitCondition, scratchDir } from "@meerkat/testkit";
import {
  AddWatchRequest,
  CreateRequest,
  CreateTtlRequest,
  DeleteRequest,
  OPEN_ACL,
  OpCode,
  ReadRequest,
} from "@meerkat/wire";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { converse, fetchJson } from "./plain-text.ts";

describe("four-letter words", () => {
  let server: EmbeddedServer;
  let client: RawClient;

  beforeAll(async () => {
    server = await EmbeddedServer.start({ memory: true, fourLetterWords: "*" });
    client = await RawClient.connect(server);
    await client.create("/e", null, 1);
    const watch = { path: "/e", mode: 0 };
    await client.code(OpCode.addWatch, AddWatchRequest, watch);
  });
  afterAll(async () => {
    await client.close();
    await server.close();
  });

  it("answer as Apache does", async () => {
    const id = `0x${client.session?.sessionId.toString(16)}`;
    expect(await converse(server, "ruok")).toBe("imok");
    expect(await converse(server, "isro")).toBe("rw");
    const summary = await converse(server, "srvr");
    expect(summary).toMatch(
      /^Zookeeper version: .*\nLatency min\/avg\/max: \d+\/[\d.]+\/\d+\nReceived: \d+\n/,
    );
    expect(summary).toMatch(/Outstanding: 0\nZxid: 0x2\nMode: standalone\nNode count: 6\n$/);
    expect(await converse(server, "stat")).toMatch(
      /\nClients:\n( \/127\.0\.0\.1:\d+\[1\]\(.*\)\n)+\nLatency/,
    );
    expect(await converse(server, "cons")).toContain(`sid=${id},lop=ADDW,`);
    expect(await converse(server, "conf")).toContain(`clientPort=${server.port}\nsecureClientPort=-1\n`);
    expect(await converse(server, "dump")).toContain(`Sessions with Ephemerals (1):\n${id}:\n\t/e\n`);
    expect(await converse(server, "wchs")).toBe("1 connections watching 1 paths\nTotal watches:1\n");
    expect(await converse(server, "wchc")).toBe(`${id}\n\t/e\n`);
    expect(await converse(server, "wchp")).toBe(`/e\n\t${id}\n`);
    expect(await converse(server, "envi")).toMatch(/^Environment:\nzookeeper\.version=/);
    const monitor = await converse(server, "mntr");
    expect(monitor).toContain("zk_server_state\tstandalone\n");
    expect(monitor).toContain("zk_ephemerals_count\t1\n");
    expect(monitor).toContain("zk_watch_count\t1\n");
    expect(await converse(server, "srst")).toBe("Server stats reset.\n");
    expect(await converse(server, "crst")).toBe("Connection stats reset.\n");
  });

  it("arrive in pieces as well, and unknown ones are a frame that is too long", async () => {
    const pieces = await RawClient.open(server);
    pieces.sendBytes(Buffer.from("xx"));
    pieces.sendBytes(Buffer.from("yz"));
    await pieces.untilClosed();
    expect(await converse(server, "ruok and more")).toBe("imok");
  });

  it("are refused but for srvr unless they are on the list", async () => {
    await using closed = await EmbeddedServer.start({ memory: true, fourLetterWords: ["ruok"] });
    expect(await converse(closed, "ruok")).toBe("imok");
    expect(await converse(closed, "srvr")).toContain("Mode: standalone");
    expect(await converse(closed, "mntr")).toBe("mntr is not executed because it is not in the whitelist.\n");
  });
});

describe("HTTP", () => {
  it("commands answer with Apache's keys, unknown ones with an error", async () => {
    await using server = await EmbeddedServer.start({ memory: true, admin: {}, metrics: {} });
    await using client = await RawClient.connect(server);
    await client.create("/e", null, 1);
    const port = server.adminPort as number;
    expect(await fetchJson(port, "/commands/ruok")).toEqual({ command: "ruok", error: null });
    expect(await fetchJson(port, "/commands/srvr")).toMatchObject({
      command: "server_stats",
      node_count: 6,
      read_only: false,
      server_stats: { server_state: "standalone", last_processed_zxid: 2 },
    });
    expect(await fetchJson(port, "/commands/conf")).toMatchObject({
      client_port: server.port,
      tick_time: 3000,
    });
    const { session_id_to_ephemeral_paths: ephemerals } = await fetchJson(port, "/commands/dump");
    expect(Object.values(ephemerals as object)).toEqual([["/e"]]);
    expect(await fetchJson(port, "/commands/constructor")).toMatchObject({
      error: "Unknown command: constructor",
    });
    expect(await (await fetch(`http://127.0.0.1:${port}/commands`)).text()).toContain("/commands/monitor");
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
  });

  it("metrics carry Apache's names in Prometheus' format", async () => {
    await using server = await EmbeddedServer.start({ memory: true, metrics: {} });
    await using client = await RawClient.connect(server);
    await client.create("/a");
    const text = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text();
    expect(text).toContain("# TYPE znode_count gauge\nznode_count 6\n");
    expect(text).toContain("# TYPE op_count_create counter\nop_count_create 1\n");
    for (const line of text.trimEnd().split("\n")) {
      expect(line).toMatch(/^(# TYPE [a-zA-Z_][\w]* (gauge|counter|summary)|[a-zA-Z_]\w* -?[\d.e+]+)$/);
    }
  });
});

describe("zoo.cfg", () => {
  it("is enough to start a durable server, whose snapshot command writes one", async () => {
    await using directory = await scratchDir();
    const path = directory.join("zoo.cfg");
    const text = `tickTime=500\ndataDir=${directory.join("data")}\nclientPort=0\nclientPortAddress=127.0.0.1\n`;
    await writeFile(path, `${text}admin.serverPort=0\n4lw.commands.whitelist=*\n`);
    const { options, warnings } = await loadServerConfig(path);
    expect(warnings).toEqual([]);
    await using server = await EmbeddedServer.start(options);
    await using client = await RawClient.connect(server);
    await client.create("/a");
    expect(await converse(server, "conf")).toContain("maxClientCnxns=60\nminSessionTimeout=1000\n");
    const port = server.adminPort as number;
    const authorization = "digest root:secret";
    const response = await fetch(`http://127.0.0.1:${port}/commands/snapshot?streaming=false`, {
      headers: { authorization },
    });
    expect(await response.json()).toMatchObject({ last_zxid: "0x2", error: null });
    expect(await fetchJson(port, "/commands/lsnp")).toMatchObject({ zxid: "2" });
  });
});

describe("the reaper", () => {
  it("deletes used and empty containers and outdated TTL znodes, and fires their watches", async () => {
    await using server = await EmbeddedServer.start({ memory: true, reaper: { checkIntervalMs: 50 } });
    await using client = await RawClient.connect(server);
    const container = { path: "/c", data: null, acl: OPEN_ACL, flags: 4 };
    await client.code(OpCode.createContainer, CreateRequest, container);
    await client.code(OpCode.createContainer, CreateRequest, { ...container, path: "/unused" });
    const ttl = { ...container, path: "/t", flags: 5, ttlMs: 60n };
    await client.code(OpCode.createTTL, CreateTtlRequest, ttl);
    await client.code(OpCode.createTTL, CreateTtlRequest, { ...ttl, path: "/held" });
    await client.create("/held/child");
    await client.create("/c/child");
    await client.code(OpCode.exists, ReadRequest, { path: "/t", watch: true });
    await client.code(OpCode.exists, ReadRequest, { path: "/c", watch: true });
    await awaitCondition(() => client.events.length === 1, { describe: "the TTL znode's end" });
    await client.code(OpCode.delete, DeleteRequest, { path: "/c/child", version: -1 });
    await awaitCondition(() => client.events.length === 2, { describe: "the container's end" });
    expect(client.events.map(({ type, path }) => [type, path])).toEqual([
      [2, "/t"],
      [2, "/c"],
    ]);
    for (const path of ["/unused", "/held"]) {
      expect(await client.code(OpCode.exists, ReadRequest, { path, watch: false })).toBe(0);
    }
  });
});
