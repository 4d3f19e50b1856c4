// SPDX-License-Identifier: Apache-2.0
// Proving who one is: digest, SASL DIGEST-MD5 and certificates, over both servers.
import { writeFileSync } from "node:fs";
import {
  CREATOR_ALL_ACL,
  digestId,
  digestMd5,
  fourLetterWord,
  type SaslMechanism,
  ZooKeeperClient,
  type ZooKeeperClientOptions,
  type ZooKeeperError,
} from "@meerkat/client";
import { EmbeddedServer } from "@meerkat/server";
import {
  awaitCondition,
  FaultProxy,
  freePorts,
  type ScratchDir,
  scratchDir,
  startRealZooKeeper,
  toolsAvailable,
} from "@meerkat/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { type Certificates, makeCertificates } from "./support/certificates.ts";

const fails = (call: Promise<unknown>): Promise<ZooKeeperError> =>
  call.then(
    () => Promise.reject(new Error("it did not fail")),
    (error: ZooKeeperError) => error,
  );

describeEachZooKeeper("digest credentials", (zk) => {
  test("open what they closed, also after a reconnect, before any request", async () => {
    await using proxy = await FaultProxy.start({ target: { host: zk.host, port: zk.port } });
    await using ann = await ZooKeeperClient.connect({
      hosts: `${proxy.connectString}${zk.chroot}`,
      auth: [{ scheme: "digest", auth: "ann:secret" }],
      reconnectDelayMs: { initialMs: 10, maxMs: 50 },
    });
    await ann.create("/mine", "x", { acl: CREATOR_ALL_ACL });
    const { acl } = await ann.getAcl("/mine");
    expect(acl).toEqual([{ permissions: 31, scheme: "digest", id: digestId("ann", "secret") }]);
    await using bob = await ZooKeeperClient.connect(zk.hosts);
    const error = await fails(bob.get("/mine"));
    expect(error).toMatchObject({ code: "NO_AUTH", effect: "none", context: { path: "/mine" } });
    for (let round = 0; round < 3; round++) {
      proxy.cut();
      const reads = await Promise.all(Array.from({ length: 20 }, () => ann.get("/mine")));
      expect(reads).toHaveLength(20);
    }
    await bob.addAuth("digest", "ann:secret");
    expect((await bob.get("/mine")).data.toString()).toBe("x");
    await ann.setAcl("/mine", [{ permissions: 1, scheme: "world", id: "anyone" }], { version: 0 });
    expect((await fails(ann.set("/mine", "y"))).code).toBe("NO_AUTH");
  });

  test("of a scheme that the server does not know end the client", async () => {
    const client = await ZooKeeperClient.connect(zk.hosts);
    expect((await fails(client.addAuth("no-such-scheme", "x"))).code).toBe("AUTH_FAILED");
    expect(client.state).toBe("authFailed");
    await client.close();
  });
});

/** A server for a describe block. */
interface Served {
  readonly hosts: string;
  close(): Promise<void>;
}

function describeServed(
  name: string,
  starters: Readonly<Record<"embedded" | "real", () => Promise<Served>>>,
  body: (served: () => Served) => void,
): void {
  for (const [kind, start] of Object.entries(starters)) {
    const available =
      kind === "embedded" || toolsAvailable(`${name} over Apache ZooKeeper`, "java-zookeeper");
    describe.runIf(available)(`${name}, over the ${kind} server`, () => {
      let served: Served | undefined;
      beforeAll(async () => {
        served = await start();
      });
      afterAll(async () => {
        await served?.close();
      });
      body(() => {
        if (served === undefined) throw new Error("the server is only there inside tests");
        return served;
      });
    });
  }
}

/** With characters that must be escaped, outside ASCII, and outside ISO 8859-1. */
const USERS = { ann: 'se"cr\\et', bob: "green", cyn: "grün", eve: "ключ" };

async function embeddedSasl(): Promise<Served> {
  const server = await EmbeddedServer.start({
    memory: true,
    saslUsers: USERS,
    requiredAuthSchemes: ["sasl"],
  });
  return { hosts: server.connectString, close: () => server.close() };
}

async function realSasl(): Promise<Served> {
  const directory = await scratchDir();
  const jaas = directory.join("jaas.conf");
  // The login module's options are read as they stand; quotes and backslashes are escaped as in Java.
  const users = Object.entries(USERS).map(([user, password]) => `user_${user}=${JSON.stringify(password)}`);
  const module = "org.apache.zookeeper.server.auth.DigestLoginModule";
  writeFileSync(jaas, `Server {\n  ${module} required\n  ${users.join("\n  ")};\n};\n`);
  const zooKeeper = await startRealZooKeeper({
    systemProperties: {
      "java.security.auth.login.config": jaas,
      "zookeeper.authProvider.1": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
      "zookeeper.sessionRequireClientSASLAuth": "true",
    },
  });
  return {
    hosts: zooKeeper.connectString,
    close: async () => {
      await zooKeeper.stop();
      await directory.remove();
    },
  };
}

describeServed("SASL DIGEST-MD5", { embedded: embeddedSasl, real: realSasl }, (served) => {
  const options = (sasl: SaslMechanism | undefined): ZooKeeperClientOptions => ({
    hosts: served().hosts,
    sasl,
    reconnectDelayMs: { initialMs: 10, maxMs: 50 },
  });

  test("lets a user in who knows the password, on every connection", async () => {
    const [host = "", port] = served().hosts.split(":");
    await using proxy = await FaultProxy.start({ target: { host, port: Number(port) } });
    const sasl = digestMd5({ username: "ann", password: USERS.ann });
    await using ann = await ZooKeeperClient.connect({ ...options(sasl), hosts: proxy.connectString });
    await ann.create("/of-ann", "x", { acl: CREATOR_ALL_ACL });
    expect((await ann.getAcl("/of-ann")).acl).toEqual([{ permissions: 31, scheme: "sasl", id: "ann" }]);
    for (let round = 0; round < 3; round++) {
      proxy.cut();
      expect((await ann.get("/of-ann")).data.toString()).toBe("x");
    }
    await using bob = await ZooKeeperClient.connect(
      options(digestMd5({ username: "bob", password: USERS.bob })),
    );
    expect((await fails(bob.get("/of-ann"))).code).toBe("NO_AUTH");
  });

  test("takes passwords of any script", async () => {
    for (const [username, password] of [
      ["cyn", USERS.cyn],
      ["eve", USERS.eve],
    ] as const) {
      await using client = await ZooKeeperClient.connect(options(digestMd5({ username, password })));
      expect(await client.whoAmI()).toContainEqual({ scheme: "sasl", user: username });
    }
  });

  test("refuses one who does not", async () => {
    for (const [username, password] of [
      ["ann", "wrong"],
      ["nobody", "x"],
    ] as const) {
      const error = await fails(ZooKeeperClient.connect(options(digestMd5({ username, password }))));
      expect(error.code).toBe("AUTH_FAILED");
      expect(error.message).not.toContain(password === "x" ? "password" : password);
    }
  });

  test("tells a client without it what is missing", async () => {
    const client = new ZooKeeperClient(options(undefined));
    const outcome = client.connect().then(() => client.get("/"));
    await fails(outcome);
    await awaitCondition(() => client.state === "authFailed");
    await client.close();
  });

  test("takes a mechanism from outside, which may fail", async () => {
    const broken: SaslMechanism = {
      name: "BROKEN",
      start: () => ({
        complete: false,
        initial: () => new Uint8Array(0),
        respond: () => Promise.reject(new Error("no ticket")),
      }),
    };
    const error = await fails(ZooKeeperClient.connect(options(broken)));
    expect(error).toMatchObject({ code: "AUTH_FAILED", cause: new Error("no ticket") });
    expect(error.message).toContain("BROKEN");
  });
});

const withOpenssl = toolsAvailable("TLS of the client", "openssl");
let directory: ScratchDir;
let certificates: Certificates;

beforeAll(async () => {
  directory = await scratchDir();
  if (withOpenssl) certificates = makeCertificates(directory);
});

afterAll(async () => {
  await directory.remove();
});

async function embeddedTls(): Promise<Served> {
  const { pem } = certificates;
  const server = await EmbeddedServer.start({
    memory: true,
    tls: { cert: pem("server.crt"), key: pem("server.key"), ca: pem("ca.crt"), clientAuth: "want" },
  });
  return { hosts: `127.0.0.1:${server.securePort}`, close: () => server.close() };
}

async function realTls(): Promise<Served> {
  const [port = 0] = await freePorts(1);
  const zooKeeper = await startRealZooKeeper({
    classpath: ["zookeeper", "netty-codec", "netty-resolver", "netty-transport-native-unix-common"]
      // Debian's ZooKeeper does not name all that netty needs.
      .map((jar) => `/usr/share/java/${jar}.jar`)
      .join(":"),
    config: { secureClientPort: String(port), secureClientPortAddress: "127.0.0.1" },
    systemProperties: {
      "zookeeper.serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
      "zookeeper.ssl.keyStore.location": certificates.path("server.pem"),
      "zookeeper.ssl.keyStore.type": "PEM",
      "zookeeper.ssl.trustStore.location": certificates.path("ca.crt"),
      "zookeeper.ssl.trustStore.type": "PEM",
      "zookeeper.ssl.clientAuth": "want",
      "zookeeper.ssl.hostnameVerification": "false",
    },
  });
  return { hosts: `127.0.0.1:${port}`, close: () => zooKeeper.stop() };
}

describe.runIf(withOpenssl)("certificates", () => {
  describeServed("TLS", { embedded: embeddedTls, real: realTls }, (served) => {
    test("carries a session, and large data both ways", async () => {
      await using client = await ZooKeeperClient.connect({
        hosts: served().hosts,
        tls: { ca: certificates.pem("ca.crt") },
      });
      const data = Buffer.alloc(900_000, 7);
      await client.create("/large", data);
      expect((await client.get("/large")).data.equals(data)).toBe(true);
      const many = await Promise.all(Array.from({ length: 500 }, () => client.exists("/large")));
      expect(many.every((stat) => stat?.dataLength === data.length)).toBe(true);
    });

    test("is refused to a server that nobody vouches for, with the reason", async () => {
      const error = await fails(
        ZooKeeperClient.connect({ hosts: served().hosts, tls: {} }, { timeoutMs: 1_500 }),
      );
      expect(error.code).toBe("TIMEOUT");
      expect(error.message).toMatch(/certificate/);
      const other = await fails(
        ZooKeeperClient.connect(
          { hosts: served().hosts, tls: { ca: certificates.pem("ca.crt"), serverName: "other.example" } },
          { timeoutMs: 1_500 },
        ),
      );
      expect(other.message).toContain("other.example");
    });

    test("with a certificate of its own the client is who it says", async () => {
      const tls = {
        ca: certificates.pem("ca.crt"),
        cert: certificates.pem("client.crt"),
        key: certificates.pem("client.key"),
      };
      await using keeper = await ZooKeeperClient.connect({ hosts: served().hosts, tls });
      expect(await keeper.whoAmI()).toContainEqual({ scheme: "x509", user: "CN=keeper" });
      await keeper.create("/of-keeper", "x", { acl: CREATOR_ALL_ACL });
      await using other = await ZooKeeperClient.connect({ hosts: served().hosts, tls: { ca: tls.ca } });
      expect((await fails(other.get("/of-keeper"))).code).toBe("NO_AUTH");
    });

    test("carries four-letter words", async () => {
      const [host = "", port] = served().hosts.split(":");
      const tls = { ca: certificates.pem("ca.crt"), serverName: "localhost" };
      expect(await fourLetterWord("srvr", { host, port: Number(port), tls })).toContain("Mode: standalone");
    });
  });
});
