// SPDX-License-Identifier: Apache-2.0
// The HTTP commands that read or change everything, and who may use them.
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { EmbeddedServer, type EmbeddedServerOptions } from "@meerkat/server";
import { awaitCondition, missingTools, scratchDir, startRealZooKeeper } from "@meerkat/testkit";
import { GetDataResponse, OPEN_ACL, OpCode, ReadRequest, SetAclRequest, SetDataRequest } from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import { RawClient } from "../support/raw-client.ts";

const ROOT = "digest root:secret";

function startOn(dataDir: string, options: Partial<EmbeddedServerOptions> = {}): Promise<EmbeddedServer> {
  return EmbeddedServer.start({ dataDir, tickTimeMs: 500, admin: { commandIntervalMs: 0 }, ...options });
}

function command(
  server: EmbeddedServer,
  name: string,
  init: { method?: string; authorization?: string; contentType?: string; body?: Buffer | string } = {},
): Promise<Response> {
  const { method = "GET", authorization = ROOT, contentType, body } = init;
  const headers: Record<string, string> = authorization === "" ? {} : { authorization };
  if (contentType !== undefined) headers["content-type"] = contentType;
  return fetch(`http://127.0.0.1:${server.adminPort}/commands/${name}`, {
    method,
    headers,
    ...(body && { body }),
  });
}

async function snapshotOf(server: EmbeddedServer): Promise<Buffer> {
  const response = await command(server, "snapshot");
  const bytes = Buffer.from(await response.arrayBuffer());
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/octet-stream"]);
  expect(response.headers.get("snapshot_size")).toBe(String(bytes.length));
  return bytes;
}

function restore(server: EmbeddedServer, body: Buffer): Promise<Response> {
  return command(server, "restore", { method: "POST", contentType: "application/octet-stream", body });
}

function set(client: RawClient, path: string, text: string): Promise<number> {
  return client.code(OpCode.setData, SetDataRequest, { path, data: Buffer.from(text), version: -1 });
}

async function get(client: RawClient, path: string): Promise<string | undefined> {
  const { data } = await client.call(OpCode.getData, [ReadRequest, { path, watch: false }], GetDataResponse);
  return data?.toString();
}

function exists(client: RawClient, path: string): Promise<number> {
  return client.code(OpCode.exists, ReadRequest, { path, watch: false });
}

/** What a client needs to go on with its session over another connection. */
function sessionOf(client: RawClient): { sessionId: bigint; password: Uint8Array } {
  const { sessionId, password } = client.session ?? {};
  if (sessionId === undefined || password === undefined || password === null) throw new Error("no session");
  return { sessionId, password };
}

describe("snapshot and restore", () => {
  it("bring a state back, with its sessions, under clients that have seen later ones, and over a restart", async () => {
    await using directory = await scratchDir();
    const dataDir = directory.join("data");
    let server = await startOn(dataDir);
    const before = await RawClient.connect(server);
    await before.create("/kept", Buffer.from("old"));
    await before.create("/ephemeral", null, 1);
    const snapshot = await snapshotOf(server);
    const after = await RawClient.connect(server);
    await set(after, "/kept", "new");
    await after.create("/later");
    const seen = after.received.at(-1)?.header.zxid as bigint;

    const response = await restore(server, snapshot);
    expect(await response.json()).toEqual({
      command: "restore",
      error: null,
      last_zxid: `0x${(seen + 1n).toString(16)}`,
    });
    await before.untilClosed();
    await after.untilClosed();
    const back = await RawClient.connect(server, { ...sessionOf(before), lastZxidSeen: seen });
    expect(back.session?.sessionId).toBe(before.session?.sessionId);
    const gone = await RawClient.connect(server, sessionOf(after));
    expect(gone.session?.sessionId).toBe(0n);
    expect(await get(back, "/kept")).toBe("old");
    expect([await exists(back, "/ephemeral"), await exists(back, "/later")]).toEqual([0, -101]);
    await back.create("/since");
    // Snapshots that follow are made of the restored state.
    expect((await snapshotOf(server)).includes("/since")).toBe(true);

    await server.close();
    server = await startOn(dataDir);
    await using reader = await RawClient.connect(server);
    expect(await get(reader, "/kept")).toBe("old");
    expect([await exists(reader, "/since"), await exists(reader, "/later")]).toEqual([0, -101]);
    await server.close();
  });

  it("survive a crash right after the restore, without a last snapshot", async () => {
    await using directory = await scratchDir();
    await using server = await startOn(directory.join("a"));
    const client = await RawClient.connect(server);
    await client.create("/kept");
    const snapshot = await snapshotOf(server);
    await client.create("/later");
    await restore(server, snapshot);
    await using writer = await RawClient.connect(server);
    await writer.create("/since");
    // The directory as a crash would leave it, which a running server does not touch between requests.
    await cp(directory.join("a"), directory.join("b"), { recursive: true });
    await rm(directory.join("b", "meerkat.lock"));
    await using recovered = await startOn(directory.join("b"));
    await using reader = await RawClient.connect(recovered);
    const codes = [];
    for (const path of ["/kept", "/since", "/later"]) codes.push(await exists(reader, path));
    expect(codes).toEqual([0, 0, -101]);
  });

  it("refuse a damaged snapshot and keep the state and the connections", async () => {
    await using directory = await scratchDir();
    await using server = await startOn(directory.join("data"));
    await using client = await RawClient.connect(server);
    await client.create("/a", Buffer.from("text"));
    const snapshot = await snapshotOf(server);
    snapshot[snapshot.indexOf("text")] = 0x54;
    for (const body of [snapshot, snapshot.subarray(0, -30), Buffer.from("nonsense")]) {
      const response = await restore(server, body);
      expect(response.status).toBe(500);
      expect(((await response.json()) as { error: string }).error).toMatch(/snapshot/);
    }
    expect(await get(client, "/a")).toBe("text");
    expect(await set(client, "/a", "more")).toBe(0);
  });

  it.skipIf(missingTools("java-zookeeper").length > 0)(
    "start Apache ZooKeeper on what was streamed",
    async () => {
      await using directory = await scratchDir();
      await using server = await startOn(directory.join("data"));
      await using client = await RawClient.connect(server);
      await client.create("/a", Buffer.from("text"));
      await mkdir(directory.join("apache", "version-2"), { recursive: true });
      await writeFile(directory.join("apache", "version-2", "snapshot.2"), await snapshotOf(server));
      await using apache = await startRealZooKeeper({ dataDirs: [directory.join("apache")] });
      await using reader = await RawClient.connect(apache.members[0] as { host: string; port: number });
      expect(await get(reader, "/a")).toBe("text");
    },
  );
});

describe("guarded commands", () => {
  it("ask for a proof, for all permissions on the root, for the right method and form, and not too often", async () => {
    await using directory = await scratchDir();
    await using server = await startOn(directory.join("data"), { admin: { commandIntervalMs: 3_600_000 } });
    await using client = await RawClient.connect(server);
    const status = async (name: string, init?: Parameters<typeof command>[2]): Promise<number> => {
      const response = await command(server, name, init);
      await response.arrayBuffer();
      return response.status;
    };
    const post = { method: "POST" };
    expect(await status("snapshot", { authorization: "" })).toBe(401);
    expect(await status("snapshot", { authorization: "kerberos x" })).toBe(401);
    expect(await status("restore", { ...post, authorization: "" })).toBe(401);
    expect(await status("shed_connections", { ...post, authorization: "" })).toBe(401);
    expect(await status("snapshot", post)).toBe(405);
    expect(await status("restore")).toBe(405);
    expect(await status("restore", { ...post, contentType: "text/plain", body: "x" })).toBe(400);
    expect(await status("shed_connections", { ...post, body: '{"percentage":101}' })).toBe(400);
    expect([await status("snapshot"), await status("snap")]).toEqual([200, 429]);
    const readers = [
      { permissions: 15, scheme: "world", id: "anyone" },
      ...OPEN_ACL.map((acl) => ({ ...acl, scheme: "ip", id: "127.0.0.1" })),
    ];
    await client.code(OpCode.setACL, SetAclRequest, { path: "/", acl: readers, version: -1 });
    expect(await status("snapshot")).toBe(403);
    expect(await status("snapshot", { authorization: "ip" })).toBe(429);
  });

  it("may be turned off", async () => {
    await using directory = await scratchDir();
    const admin = { snapshotEnabled: false, restoreEnabled: false };
    await using server = await startOn(directory.join("data"), { admin });
    expect((await command(server, "snapshot")).status).toBe(503);
    expect((await restore(server, Buffer.from("x"))).status).toBe(503);
  });

  it("shed the share of connections that is asked for", async () => {
    await using server = await EmbeddedServer.start({ memory: true, admin: {} });
    const clients = [];
    for (let count = 0; count < 4; count++) clients.push(await RawClient.connect(server));
    const response = await command(server, "shed_connections", { method: "POST", body: '{"percentage":50}' });
    expect(await response.json()).toMatchObject({ error: null, connections_shed_count: 2 });
    await awaitCondition(() => server.connectionCount === 2, { describe: "two connections to go" });
    expect(clients.filter((client) => client.closed)).toHaveLength(2);
    for (const client of clients) await client.close();
  });
});
