// SPDX-License-Identifier: Apache-2.0
// TLS with the key stores that Java users have: written by keytool, read by the server, checked by handshakes.
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { ZooKeeperClient } from "@meerkat/client";
import { EmbeddedServer, parseZooCfg } from "@meerkat/server";
import { findProgram, missingTools, type ScratchDir, scratchDir } from "@meerkat/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const keytool = findProgram("keytool");
const JARS = "/usr/share/java";
/** What Java's client speaks TLS with. */
const nettyJars = existsSync(JARS)
  ? readdirSync(JARS)
      .filter((name) => /^netty-(buffer|codec|common|handler|resolver|transport[a-z-]*)\.jar$/.test(name))
      .map((name) => `${JARS}/${name}`)
  : [];
const PASSWORD = "store-secret";

describe.skipIf(keytool === undefined)("key stores", { timeout: 60_000 }, () => {
  let directory: ScratchDir;
  const file = (name: string): string => directory.join(name);
  const tool = (...args: string[]): Promise<unknown> =>
    run(keytool as string, [
      ...args,

      "-noprompt",
      "-storepass",
      PASSWORD,
    ]);

  /** A key pair with a certificate of its own, and a store that trusts it, both in one type. */
  async function makeStores(name: string, type: "JKS" | "PKCS12", extension: string): Promise<void> {
    const common = ["-alias", name, "-storetype", type];
    const keyStore = file(`${name}.${extension}`);
    const pair = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", `CN=${name},O=Zoo`];
    const keyPassword = type === "JKS" ? ["-keypass", PASSWORD] : [];
    await tool(
      ...pair,
      ...common,
      "-validity",
      "2",
      "-ext",
      "SAN=dns:localhost",
      "-keystore",
      keyStore,
      ...keyPassword,
    );
    await tool("-exportcert", "-rfc", ...common, "-keystore", keyStore, "-file", file(`${name}.crt`));
    const trustStore = file(`${name}-trust.${extension}`);
    await tool("-importcert", ...common, "-keystore", trustStore, "-file", file(`${name}.crt`));
  }

  beforeAll(async () => {
    directory = await scratchDir();
    await Promise.all([makeStores("jks", "JKS", "jks"), makeStores("p12", "PKCS12", "p12")]);
    await copyFile(file("p12.p12"), file("misnamed.jks"));
  }, 60_000);
  afterAll(() => directory.remove());

  function configuration(keyStore: string, trustStore: string, extra = ""): string {
    return [
      `dataDir=${file("data")}`,
      "secureClientPort=0",
      `ssl.keyStore.location=${file(keyStore)}`,
      `ssl.keyStore.password=${PASSWORD}`,
      `ssl.trustStore.location=${file(trustStore)}`,
      `ssl.trustStore.passwordPath=${file("password")}`,
      "ssl.clientAuth=need",
      extra,
    ].join("\n");
  }

  async function start(keyStore: string, trustStore: string): Promise<EmbeddedServer> {
    await writeFile(file("password"), `${PASSWORD}\n`);
    const { options, warnings } = await parseZooCfg(configuration(keyStore, trustStore));
    expect(warnings).toEqual([]);
    const { tls } = options;
    return EmbeddedServer.start({ memory: true, tls: { ...tls, host: "127.0.0.1" } });
  }

  /** Our client's certificate and key in PEM, out of a PKCS #12 store. */
  async function clientIdentity(name: string): Promise<{ cert: Buffer; key: string }> {
    const { stdout } = await run("openssl", [
      "pkcs12",
      "-in",
      file(`${name}.p12`),
      "-nocerts",
      "-nodes",
      "-passin",
      `pass:${PASSWORD}`,
    ]);
    return { cert: await readFile(file(`${name}.crt`)), key: stdout };
  }

  it.skipIf(findProgram("openssl") === undefined).each([
    ["jks.jks", "p12-trust.p12", "jks"],
    ["p12.p12", "p12-trust.p12", "p12"],
    ["misnamed.jks", "p12-trust.p12", "p12"],
  ])("serve TLS from %s and trust what is in %s", async (keyStore, trustStore, name) => {
    await using server = await start(keyStore, trustStore);
    const tls = { ca: await readFile(file(`${name}.crt`)), serverName: "localhost" };
    const hosts = `127.0.0.1:${server.securePort}`;
    await using client = await ZooKeeperClient.connect({
      hosts,
      tls: { ...tls, ...(await clientIdentity("p12")) },
    });
    await client.create("/a", "text");
    expect((await client.get("/a")).data.toString()).toBe("text");
    // Without a certificate there is no session.
    await using stranger = new ZooKeeperClient({ hosts, tls });
    await expect(stranger.connect({ timeoutMs: 500 })).rejects.toThrow();
  });

  it.skipIf(missingTools("java-zookeeper").length > 0 || nettyJars.length === 0)(
    "serve Java's own client over TLS, JKS on both sides",
    async () => {
      await using server = await start("jks.jks", "jks-trust.jks");
      const properties = {
        "client.secure": "true",
        clientCnxnSocket: "org.apache.zookeeper.ClientCnxnSocketNetty",
        "ssl.keyStore.location": file("jks.jks"),
        "ssl.keyStore.password": PASSWORD,
        "ssl.trustStore.location": file("jks-trust.jks"),
        "ssl.trustStore.password": PASSWORD,
        "ssl.hostnameVerification": "false",
      };
      const flags = Object.entries(properties).map(([key, value]) => `-Dzookeeper.${key}=${value}`);
      const classpath = [`${JARS}/zookeeper.jar`, `${JARS}/slf4j-simple.jar`, ...nettyJars].join(":");
      await run("java", [
        ...flags,
        "-cp",
        classpath,
        "org.apache.zookeeper.ZooKeeperMain",
        "-server",
        `localhost:${server.securePort}`,
        "create",
        "/from-java",
        "text",
      ]);
      await using client = await ZooKeeperClient.connect(server.connectString);
      expect((await client.get("/from-java")).data.toString()).toBe("text");
    },
  );

  it("are refused with a word on what is wrong, and never with the password", async () => {
    await writeFile(file("password"), "wrong-password");
    const wrong = (keyStore: string, trustStore: string) =>
      parseZooCfg(configuration(keyStore, trustStore, "ssl.keyStore.password=wrong-password"));
    const cases: [string, string, RegExp][] = [
      ["jks.jks", "jks-trust.jks", /ssl\.keyStore\.location=.*password is wrong/],
      ["p12.p12", "jks-trust.jks", /ssl\.trustStore\.location=.*password is wrong/],
      ["p12.p12", "p12-trust.p12", /ssl\.trustStore\.location=.*password is wrong/],
      ["p12.p12", "p12.crt", /of type crt/],
    ];
    for (const [keyStore, trustStore, message] of cases) {
      const error = await wrong(keyStore, trustStore).catch((cause: unknown) => cause as Error);
      expect(error).toBeInstanceOf(Error);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).not.toContain("wrong-password");
    }
    const stump = (await readFile(file("p12-trust.p12"))).subarray(0, 300);
    await writeFile(file("stump.p12"), stump);
    await expect(wrong("p12.p12", "stump.p12")).rejects.toThrow(/stump\.p12: the file is damaged/);
    await writeFile(file("password"), PASSWORD);
    const empty = parseZooCfg(configuration("jks-trust.jks", "jks-trust.jks"));
    await expect(empty).rejects.toThrow(/no private key/);
  });
});
