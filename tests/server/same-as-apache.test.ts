// SPDX-License-Identifier: Apache-2.0
// What operators' tools read: names and keys of the embedded server held against the real one's.
import { existsSync, readdirSync } from "node:fs";
import net from "node:net";
import { EmbeddedServer } from "@meerkat/server";
import { missingTools, type RealZooKeeper, scratchDir, startRealZooKeeper } from "@meerkat/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { converse, fetchJson } from "./plain-text.ts";

const JARS = "/usr/share/java";
/** Debian's package leaves the jars of the AdminServer out of its class path. */
const classpath = existsSync(JARS)
  ? readdirSync(JARS)
      .filter((name) =>
        /^(zookeeper|slf4j-simple|servlet-api|jetty9-(server|servlet|http|io|util|security|util-ajax)|jackson-(core|databind|annotations))\.jar$/.test(
          name,
        ),
      )
      .map((name) => `${JARS}/${name}`)
      .join(":")
  : "";
const cannotRun = missingTools("java-zookeeper").length > 0 || !classpath.includes("jetty9-server");

/** Metrics that Apache 3.8 does not have: those of 3.9, and our own. */
const OURS_ALONE = /^(op_count_\w+)$/;
/** Gauges of Apache that mean nothing here. */
const NOT_OURS = [
  "non_mtls_remote_conn_count",
  "non_mtls_local_conn_count",
  "outstanding_tls_handshake",
  "last_client_response_size",
  "max_client_response_size",
  "min_client_response_size",
  "max_file_descriptor_count",
  "open_file_descriptor_count",
];

/** A port nobody listens on right now. */
async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** The keys of an object and of the objects in it, dotted. */
function keysOf(value: unknown, prefix = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    prefix + key,
    ...keysOf(inner, `${prefix}${key}.`),
  ]);
}

describe.skipIf(cannotRun)("an operator's tools", () => {
  let apache: RealZooKeeper;
  let apacheAdminPort: number;
  let apacheAddress: { host: string; port: number };
  let server: EmbeddedServer;
  let directory: Awaited<ReturnType<typeof scratchDir>>;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    apacheAdminPort = await freePort();
    apache = await startRealZooKeeper({
      classpath,
      config: { "admin.enableServer": "true", "admin.serverPort": String(apacheAdminPort) },
    });
    apacheAddress = apache.members[0] as { host: string; port: number };
    directory = await scratchDir();
    server = await EmbeddedServer.start({
      dataDir: directory.join("data"),
      tickTimeMs: 500,
      fourLetterWords: "*",
      admin: {},
      metrics: {},
    });
    for (const address of [apacheAddress, server]) {
      const client = await RawClient.connect(address);
      await client.create("/e", null, 1);
      clients.push(client);
    }
  });
  afterAll(async () => {
    for (const client of clients) await client.close();
    await server.close();
    await apache.stop();
    await directory.remove();
  });

  it("find the same keys in conf, dirs, srvr and envi, and the same answers to small words", async () => {
    for (const word of ["ruok", "isro", "gtmk", "hash", "crst", "srst"]) {
      expect(await converse(server, word), word).toBe(await converse(apacheAddress, word));
    }
    const keys = (text: string): string[] => text.split("\n").map((line) => line.split(/[=:]/)[0] as string);
    for (const word of ["conf", "dirs", "srvr"]) {
      expect(keys(await converse(server, word)), word).toEqual(keys(await converse(apacheAddress, word)));
    }
  });

  it("set the trace mask and read it back, by words and over HTTP", async () => {
    const mask = Buffer.alloc(12, "stmk");
    mask.writeBigInt64BE(5n, 4);
    for (const address of [apacheAddress, server]) {
      expect(await converse(address, mask)).toBe("5");
      expect(await converse(address, "gtmk")).toBe("5");
    }
    const port = server.adminPort as number;
    expect(await fetchJson(port, "/commands/set_trace_mask?traceMask=7")).toMatchObject({ tracemask: 7 });
    expect(await fetchJson(port, "/commands/set_trace_mask")).toEqual(
      await fetchJson(apacheAdminPort, "/commands/set_trace_mask"),
    );
  });

  it("find only Apache's names in mntr, and all of its gauges but those that mean nothing here", async () => {
    const names = (text: string): string[] =>
      [...text.matchAll(/^zk_(\w+)\t/gm)].map((match) => match[1] as string);
    const ours = names(await converse(server, "mntr"));
    const theirs = names(await converse(apacheAddress, "mntr"));
    expect(ours.filter((name) => !theirs.includes(name) && !OURS_ALONE.test(name))).toEqual([]);
    const gauges = theirs.slice(0, theirs.indexOf("proposal_count"));
    expect(gauges.length).toBeGreaterThan(20);
    expect(gauges.filter((name) => !ours.includes(name)).sort()).toEqual([...NOT_OURS].sort());
  });

  it("find the metrics of mntr under the same names over HTTP", async () => {
    const text = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text();
    const exposed = new Set([...text.matchAll(/^([a-z]\w*) /gm)].map((match) => match[1]));
    const monitor = [...(await converse(server, "mntr")).matchAll(/^zk_(\w+)\t/gm)].map(
      (match) => match[1] as string,
    );
    const figures = monitor
      .filter(
        (name) => !/^(version|server_state|(avg|min|max)_(\w+_watch_count|\w+time|\w+_size))$/.test(name),
      )
      .map((name) =>
        name.replace(/^(cnt|sum)_(\w+)$/, (_all, kind, key) => `${key}_${kind === "cnt" ? "count" : kind}`),
      );
    expect(figures.filter((name) => !exposed.has(name))).toEqual([]);
    expect(text).toMatch(/# TYPE fsynctime summary\nfsynctime_count [1-9]\d*\nfsynctime_sum [\d.]+\n/);
  });

  it("find every HTTP command of Apache with its keys", async () => {
    const page = await (await fetch(`http://127.0.0.1:${apacheAdminPort}/commands`)).text();
    const names = [...new Set([...page.matchAll(/\/commands\/(\w+)/g)].map((match) => match[1] as string))];
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) {
      // Their keys are the machine's properties, or the metrics and ids that other tests are about.
      if (["environment", "system_properties", "monitor", "dump"].includes(name)) continue;
      const theirs = keysOf(await fetchJson(apacheAdminPort, `/commands/${name}`));
      const ours = keysOf(await fetchJson(server.adminPort as number, `/commands/${name}`));
      const missing = theirs.filter((key) => !ours.includes(key) && !/non_mtls(remote|local)_conn/.test(key));
      expect(missing, name).toEqual([]);
    }
  });

  it("find the fields of a connection", async () => {
    const [theirs] = (await fetchJson(apacheAdminPort, "/commands/connections"))["connections"] as object[];
    const [ours] = (await fetchJson(server.adminPort as number, "/commands/connections"))[
      "connections"
    ] as object[];
    expect(keysOf(ours).sort()).toEqual(keysOf(theirs).sort());
  });
});
