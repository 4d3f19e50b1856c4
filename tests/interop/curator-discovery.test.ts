// SPDX-License-Identifier: Apache-2.0
// Curator's own service discovery and ours over the same znodes, in both directions.
import { join } from "node:path";
import { curatorCodec, Registrar, rewriteMember, springCodec, ZooKeeperDirectory } from "@meerkat/governance";
import {
  awaitCondition,
  findProgram,
  type Program,
  runProgram,
  type ScratchDir,
  scratchDir,
  toolsAvailable,
} from "@meerkat/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addresses, closing, connect } from "../governance/support.ts";
import { describeEachZooKeeper, type ZooKeeperUnderTest } from "../support/zookeepers.ts";

const SOURCE = join(import.meta.dirname, "..", "java", "CuratorDiscoveryPeer.java");
const CLASSPATH = [
  "curator-x-discovery",
  "curator-recipes",
  "curator-framework",
  "curator-client",
  "jackson-databind",
  "jackson-core",
  "jackson-annotations",
  "guava",
  "slf4j-api",
  "slf4j-nop",
  "zookeeper",
  "zookeeper-jute",
]
  .map((name) => `/usr/share/java/${name}.jar`)
  .join(":");
const ROOT = "/services/orders";

/** A Java process with Curator, connected. */
async function curator(zk: ZooKeeperUnderTest, classes: ScratchDir | undefined): Promise<Program> {
  const classpath = `${classes?.path}:${CLASSPATH}`;
  const args = [
    "-Xmx128m",
    "-XX:TieredStopAtLevel=1",
    "-cp",
    classpath,
    "CuratorDiscoveryPeer",
    zk.hosts,
    "/services",
  ];
  const peer = runProgram(findProgram("java") ?? "java", { args });
  await peer.line("connected", { timeoutMs: 40_000 });
  return peer;
}

function ask(peer: Program, command: string): Promise<string> {
  peer.send(command);
  return peer.line();
}

const available = toolsAvailable("discovery beside Curator", "java-zookeeper", "java-curator-discovery");
describe.runIf(available)("Curator", () => {
  let classes: ScratchDir | undefined;
  beforeAll(async () => {
    classes = await scratchDir();
    const args = ["-d", classes.path, "-cp", CLASSPATH, SOURCE];
    await using compiler = runProgram(findProgram("javac") ?? "javac", { args });
    expect(await compiler.exited, compiler.output).toEqual({ code: 0, signal: null });
  });
  afterAll(async () => {
    await classes?.remove();
  });

  describeEachZooKeeper("discovers with us", (zk) => {
    const closed = closing();

    test("what Curator registers, our directory sees, and a change of it leaves Curator's fields alone", async () => {
      const client = closed(await connect(zk));
      const directory = closed(await ZooKeeperDirectory.open(client, { root: ROOT, codec: curatorCodec() }));
      await using peer = await curator(zk, classes);
      expect(await ask(peer, "register orders i-1 10.0.0.5 8080")).toBe("registered");
      await awaitCondition(() => directory.snapshot().endpoints.length === 1, { describe: "the instance" });
      expect(directory.snapshot().endpoints).toMatchObject([
        {
          id: "i-1",
          host: "10.0.0.5",
          port: 8080,
          weight: 3,
          path: `${ROOT}/i-1`,
          metadata: { zone: "java", list: [1, "x"], map: { k: true }, curator: { serviceType: "DYNAMIC" } },
        },
      ]);
      const { data: before } = await client.get(`${ROOT}/i-1`);
      const changes = { zone: "b", weight: undefined, curator: { enabled: false } };
      await rewriteMember(client, { path: `${ROOT}/i-1`, codec: curatorCodec(), changes });
      const { data: after } = await client.get(`${ROOT}/i-1`);
      expect(after.toString()).toBe(
        before
          .toString()
          .replace('"zone":"java","weight":3', '"zone":"b"')
          .replace(/\}$/, ',"enabled":false}'),
      );
      expect(await ask(peer, "query orders")).toBe(
        "found [i-1 10.0.0.5:8080 {zone=b, big=9007199254740993, list=[1, x], map={k=true}} disabled]",
      );
      await awaitCondition(() => directory.snapshot().endpoints[0]?.weight === 0, { describe: "its drain" });
      expect(await ask(peer, "unregister i-1")).toBe("unregistered");
      await awaitCondition(() => directory.snapshot().endpoints.length === 0, { describe: "its end" });
    });

    test("what we register, Curator finds, follows in its cache, and loses when we leave", async () => {
      const client = closed(await connect(zk));
      const registrar = closed(new Registrar({ client, root: ROOT, codec: curatorCodec() }));
      await using peer = await curator(zk, classes);
      expect(await ask(peer, "cache orders")).toBe("cache []");
      const one = await registrar.register({ host: "10.0.0.6", port: 81, id: "a", zone: "eu", weight: 2 });
      expect(one.path).toBe(`${ROOT}/a`);
      expect(await peer.line()).toBe("cache [a]");
      await registrar.register({ host: "10.0.0.7", port: 82 });
      expect(await peer.line()).toBe("cache [10.0.0.7:82, a]");
      expect(await ask(peer, "names")).toBe("names [orders]");
      expect(await ask(peer, "query orders")).toBe(
        "found [10.0.0.7:82 10.0.0.7:82 null, a 10.0.0.6:81 {zone=eu, weight=2}]",
      );
      await one.updateInstance({ zone: "us" });
      expect(await peer.line()).toBe("cache [10.0.0.7:82, a]");
      expect(await ask(peer, "query orders")).toContain("a 10.0.0.6:81 {zone=us, weight=2}");
      await one.close();
      expect(await peer.line()).toBe("cache [10.0.0.7:82]");
    });

    test("a Java reader gets a payload of its own class", async () => {
      const client = closed(await connect(zk));
      const codec = curatorCodec({ payloadClass: "CuratorDiscoveryPeer$Payload" });
      const registrar = closed(new Registrar({ client, root: ROOT, codec }));
      await registrar.register({ host: "h", port: 1, id: "a", zone: "eu", shard: 7 });
      await using peer = await curator(zk, classes);
      expect(await ask(peer, "payloads orders")).toBe("payloads [a h:1 Payload(eu,7)]");
    });

    test("both write the same text for the same instance", async () => {
      await using peer = await curator(zk, classes);
      const text = await ask(peer, "text orders i-1 10.0.0.5 8080");
      const decoded = curatorCodec().decode(`${ROOT}/i-1`, Buffer.from(text));
      const [{ host, port, id, weight, metadata } = expect.fail(text)] =
        decoded.kind === "member" ? decoded.endpoints : [];
      const { zone, ...rest } = metadata;
      const again = curatorCodec().encode(
        // The order of Curator's map.
        { host, port, id, zone, weight, ...rest },
        { root: ROOT, registeredAtMs: 0 },
      );
      // JavaScript's numbers cannot hold the long; nothing else differs.
      expect(again.data.toString().replace("9007199254740992", "9007199254740993")).toBe(text);
      const spring = springCodec.encode({ host, port, id }, { root: ROOT, registeredAtMs: 0 });
      const uriSpec = (json: string): unknown => (JSON.parse(json) as { uriSpec: unknown }).uriSpec;
      expect(uriSpec(spring.data.toString())).toEqual(uriSpec(text));
    });

    test("a process that dies is lost to the other side alike", async () => {
      const client = closed(await connect(zk));
      const directory = closed(await ZooKeeperDirectory.open(client, { root: ROOT, codec: curatorCodec() }));
      const registrar = closed(new Registrar({ client, root: ROOT, codec: curatorCodec() }));
      await registrar.register({ host: "h", port: 1 });
      await using peer = await curator(zk, classes);
      await ask(peer, "register orders i-1 10.0.0.5 8080");
      await awaitCondition(() => addresses(directory).length === 2, { describe: "both" });
      expect(addresses(directory)).toEqual(["10.0.0.5:8080", "h:1"]);
      await peer.kill();
      await awaitCondition(() => addresses(directory).length === 1, {
        timeoutMs: 30_000,
        describe: "the end of Curator's session",
      });
      expect(addresses(directory)).toEqual(["h:1"]);
    });
  });
});
