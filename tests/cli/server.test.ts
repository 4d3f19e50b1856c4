// SPDX-License-Identifier: Apache-2.0
// `meerkat server` as a process, and `doctor` looking at it.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ZooKeeperClient } from "@meerkat/client";
import { EmbeddedServer } from "@meerkat/server";
import { scratchDir, toolsAvailable } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { makeCertificates } from "../client/support/certificates.ts";
import { converse } from "../server/plain-text.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { meerkat, startMeerkat } from "./support/meerkat.ts";

describe("meerkat server", () => {
  test("prints one line with its address, serves, and ends cleanly on SIGTERM", async () => {
    await using folder = await scratchDir();
    await using server = startMeerkat(["server", "--client-port", "0", "--data-dir", folder.path]);
    const address = /^listening on (127\.0\.0\.1:\d+)$/.exec(await server.line())?.[1] ?? "";
    expect((await meerkat(["create", "/a", "1", "-z", address])).code).toBe(0);
    // A client that stays connected must not hold it up.
    await using client = await ZooKeeperClient.connect(address);
    expect(client.state).toBe("connected");
    await server.kill("SIGTERM");
    expect(server.exit).toEqual({ code: 0, signal: null });
    expect(server.stdout.trimEnd().split("\n")).toHaveLength(1);
  });

  test("keeps what it acknowledged over a SIGKILL", async () => {
    await using folder = await scratchDir();
    const args = ["server", "--client-port", "0", "--data-dir", folder.path, "--json"];
    await using first = startMeerkat(args);
    const ready = JSON.parse(await first.line()) as { connectString: string; pid: number };
    expect(ready).toEqual({
      host: "127.0.0.1",
      port: expect.any(Number),
      connectString: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      pid: first.pid,
    });
    expect((await meerkat(["create", "/kept", "safe", "-z", ready.connectString])).code).toBe(0);
    await first.kill("SIGKILL");
    await using second = startMeerkat(args);
    const { connectString } = JSON.parse(await second.line()) as { connectString: string };
    expect((await meerkat(["get", "/kept", "-z", connectString])).stdout).toBe("safe");
  });

  test("tells how to mend a damaged log, and starts again once repair has cut it off", async () => {
    await using folder = await scratchDir();
    const args = ["server", "--client-port", "0", "--data-dir", folder.path];
    const start = async (): Promise<[ReturnType<typeof startMeerkat>, string]> => {
      const server = startMeerkat(args);
      return [server, (await server.line()).replace("listening on ", "")];
    };
    const [first, address] = await start();
    for (const name of ["a", "b", "c"]) await meerkat(["create", `/${name}`, "text of it", "-z", address]);
    const busy = await meerkat(["repair", folder.path]);
    expect([busy.code, busy.stderr]).toEqual([1, expect.stringContaining("in use by another server")]);
    await first.kill("SIGKILL");

    const directory = join(folder.path, "version-2");
    const log = (await readdir(directory)).find((name) => name.startsWith("log.")) ?? "";
    const bytes = await readFile(join(directory, log));
    const position = bytes.indexOf("/b");
    bytes[position + 8] = (bytes[position + 8] ?? 0) ^ 0xff;
    await writeFile(join(directory, log), bytes);

    const refused = await meerkat(args);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(log);
    expect(refused.stderr).toContain("meerkat repair");
    const mended = await meerkat(["repair", folder.path]);
    expect([mended.code, mended.stdout]).toEqual([0, expect.stringContaining(`cut ${join(directory, log)}`)]);
    expect((await meerkat(["repair", folder.path])).stdout).toContain("is in order");
    const [second, again] = await start();
    expect((await meerkat(["ls", "/", "-z", again])).stdout.split("\n")).toContain("a");
    expect((await meerkat(["get", "/b", "-z", again])).code).toBe(1);
    await second.kill("SIGTERM");
  });

  test("reads a zoo.cfg, and flags win over it", async () => {
    await using folder = await scratchDir();
    await using busy = await EmbeddedServer.start({ memory: true });
    const file = join(folder.path, "zoo.cfg");
    const dataDir = join(folder.path, "data");
    await writeFile(
      file,
      `# a standard file\ntickTime=500\ndataDir=${dataDir}\nclientPort=${busy.port}\nmaxSessionTimeout=3000\n`,
    );
    const taken = await meerkat(["server", file]);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toContain(String(busy.port));
    await using server = startMeerkat(["server", file, "--client-port", "0"]);
    const address = (await server.line()).replace("listening on ", "");
    const { checks } = JSON.parse((await meerkat(["doctor", "--json", "-z", address])).stdout) as {
      checks: { name: string; detail: string }[];
    };
    // The session timeout that the command asks for is cut to the file's maximum.
    expect(checks.find(({ name }) => name === "session")?.detail).toContain("timeout 3000 ms");
  });

  test("takes system properties as Java does, over the file and without one, and warns about unknown ones", async () => {
    await using folder = await scratchDir();
    const file = join(folder.path, "zoo.cfg");
    await writeFile(
      file,
      `dataDir=${folder.path}\nclientPort=0\nmaxClientCnxns=5\nadmin.enableServer=false\n`,
    );
    const properties = [
      "-Dzookeeper.4lw.commands.whitelist=conf",
      "-DmaxClientCnxns=7",
      "-Dzookeeper.snapCuont=1",
      "-DclientPortAddress=127.0.0.1",
    ];
    for (const args of [[file], ["--data-dir", join(folder.path, "other"), "-p", "0"]]) {
      await using server = startMeerkat(["server", ...args, ...properties]);
      const [, host = "", port = ""] = /^listening on (.*):(\d+)$/.exec(await server.line()) ?? [];
      expect(await converse({ host, port: Number(port) }, "conf")).toContain("maxClientCnxns=7\n");
      expect(server.output).toContain("snapCuont is not known");
      await server.kill("SIGTERM");
    }
    const broken = await meerkat(["server", file, "-Dzookeeper.forceSync=perhaps"]);
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining("forceSync=perhaps")]);
    const malformed = await meerkat(["server", "-DforceSync"]);
    expect(malformed.stderr).toContain("-Dname=value");
  });

  test("a missing or broken zoo.cfg is named", async () => {
    await using folder = await scratchDir();
    const missing = await meerkat(["server", join(folder.path, "none.cfg")]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("none.cfg");
    const file = join(folder.path, "zoo.cfg");
    await writeFile(file, `dataDir=${folder.path}\ntickTime=soon\n`);
    const broken = await meerkat(["server", file]);
    expect(broken.code).not.toBe(0);
    expect(broken.stderr).toContain("tickTime");
  });

  test("without a data directory it says that everything will be lost", async () => {
    await using server = startMeerkat(["server", "--client-port", "0"]);
    await server.line("listening on");
    expect(server.output).toContain("--data-dir");
    await server.kill("SIGINT");
    expect(server.exit).toEqual({ code: 0, signal: null });
  });
});

describe.runIf(toolsAvailable("the command over TLS", "openssl"))("over TLS", () => {
  test("the command trusts whom it is told to, and proves who it is", async () => {
    await using folder = await scratchDir();
    const { path, pem } = makeCertificates(folder);
    await using server = await EmbeddedServer.start({
      memory: true,
      tls: { cert: pem("server.crt"), key: pem("server.key"), ca: pem("ca.crt"), clientAuth: "want" },
    });
    const hosts = `127.0.0.1:${server.securePort}`;
    const trust = ["-z", hosts, "--tls-ca", path("ca.crt")];
    const prove = [...trust, "--tls-cert", path("client.crt"), "--tls-key", path("client.key")];
    expect((await meerkat(["create", "/mine", "secret", "--acl", "creator", ...prove])).code).toBe(0);
    expect(await meerkat(["get", "/mine", ...prove])).toMatchObject({ code: 0, stdout: "secret" });
    const stranger = await meerkat(["get", "/mine", ...trust]);
    expect(stranger).toMatchObject({ code: 1, stdout: "" });
    expect(stranger.stderr).toContain("NO_AUTH");
    const distrust = await meerkat(["ls", "-z", hosts, "--tls", "--timeout", "1500"]);
    expect(distrust.code).toBe(1);
    expect(distrust.stderr).toContain("certificate");
    expect((await meerkat(["ls", "-z", hosts, "--tls-insecure"])).code).toBe(0);
    expect((await meerkat(["doctor", ...trust])).stdout).toMatch(/ version +\S+, standalone/);
    expect((await meerkat(["ls", ...trust, "--tls-cert", path("client.crt")])).code).toBe(2);
    const missing = await meerkat(["ls", "-z", hosts, "--tls-ca", path("none.crt")]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("none.crt");
  });
});

describeEachZooKeeper("doctor", (zk) => {
  test("finds a healthy server healthy", async () => {
    const outcome = await meerkat(["doctor", "-z", zk.hosts, "--json"]);
    const { healthy, checks } = JSON.parse(outcome.stdout) as {
      healthy: boolean;
      checks: { name: string; status: string }[];
    };
    expect({ code: outcome.code, healthy }).toEqual({ code: 0, healthy: true });
    expect(checks.map(({ name }) => name)).toEqual([
      "reach",
      "version",
      "session",
      "latency",
      "chroot",
      "write",
      "clock",
    ]);
    expect(checks.filter(({ status }) => status !== "ok")).toEqual([]);
    const readOnly = await meerkat(["doctor", "-z", zk.hosts, "--no-write"]);
    expect(readOnly.code).toBe(0);
    expect(readOnly.stdout).toMatch(/^✔ \S+ +session /m);
    expect(readOnly.stdout).not.toMatch(/ write /);
  });

  test("a server that is not there fails the examination, the others are still examined", async () => {
    const outcome = await meerkat(["doctor", "-z", `127.0.0.1:1,${zk.address}`, "--timeout", "2000"]);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toMatch(/^✘ 127\.0\.0\.1:1 +reach /m);
    expect(outcome.stdout).toMatch(new RegExp(`^✔ ${zk.address} +session `, "m"));
    expect(outcome.stdout).toMatch(/^✘ ensemble +roles .*standalone/m);
  });
});
