// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { parseJaasUsers } from "./jaas.ts";
import { parseProperties } from "./properties.ts";
import { parseZooCfg } from "./zoo-cfg.ts";

const files: Readonly<Record<string, string>> = {
  "key.pem": "the key",
  "ca.pem": "the authorities",
  password: "hush\n",
  "jaas.conf":
    'Server {\n org.apache.zookeeper.server.auth.DigestLoginModule required\n user_bob="se\\"cret";\n};',
  "empty.conf": "Client { };",
};

function read(path: string): Promise<Buffer> {
  const text = files[path];
  return text === undefined ? Promise.reject(new Error("ENOENT")) : Promise.resolve(Buffer.from(text));
}

describe("parseProperties", () => {
  it("reads what java.util.Properties reads", () => {
    const text = "# no\n! no\n a = 1 \nb:2\nc 3\nd=x\\\n   y\ne\\ f=\\u00e9\\t|\ng=\nh\na=4\\\\\r\ni=\\";
    expect([...parseProperties(text)]).toEqual([
      ["a", "4\\"],
      ["b", "2"],
      ["c", "3"],
      ["d", "xy"],
      ["e f", "é\t|"],
      ["g", ""],
      ["h", ""],
      ["i", ""],
    ]);
  });
});

describe("parseJaasUsers", () => {
  it("takes the users of the Server section alone", () => {
    const text = `Client { user_a="1"; };\nServer {\n // user_x="no"\n user_b="2" user_super="3";\n};`;
    expect(parseJaasUsers(text)).toEqual({ b: "2", super: "3" });
  });
});

describe("parseZooCfg", () => {
  it("turns Apache's sample into a server's options, with Apache's defaults", async () => {
    const { options, warnings } = await parseZooCfg(
      "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/var/zk\nclientPort=2181\n",
    );
    expect(options).toMatchObject({
      dataDir: "/var/zk",
      host: "0.0.0.0",
      port: 2181,
      tickTimeMs: 2000,
      extendedTypes: false,
      fourLetterWords: [],
      admin: { port: 8080 },
      limits: { connectionsPerAddressMax: 60, connectionsMax: 0 },
    });
    expect(options.purge).toBeUndefined();
    expect(options.tls).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it("reads every group of keys, system properties under their full name too", async () => {
    const { options, warnings } = await parseZooCfg(
      [
        "dataDir=/d",
        "dataLogDir=/l",
        "clientPort=0",
        "clientPortAddress=127.0.0.1",
        "secureClientPort=2281",
        "ssl.keyStore.location=key.pem",
        "ssl.keyStore.passwordPath=password",
        "ssl.trustStore.location=ca.pem",
        "ssl.clientAuth=want",
        "maxClientCnxns=0",
        "minSessionTimeout=-1",
        "maxSessionTimeout=9000",
        "autopurge.purgeInterval=10m",
        "autopurge.snapRetainCount=1",
        "4lw.commands.whitelist=stat, ruok",
        "admin.enableServer=false",
        "metricsProvider.httpPort=7000",
        "zookeeper.extendedTypesEnabled=true",
        "enforceQuota=true",
        "forceSync=no",
        "snapCount=500",
        "jute.maxbuffer=0xffff",
        "znode.container.checkIntervalMs=1000",
        "DigestAuthenticationProvider.digestAlg=SHA-256",
        "zookeeper.DigestAuthenticationProvider.superDigest=super:x",
        "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
        "java.security.auth.login.config=jaas.conf",
        "superUser.1=bob",
        "enforce.auth.enabled=true",
        "enforce.auth.schemes=sasl, digest",
      ].join("\n"),
      read,
    );
    expect(warnings).toEqual([]);
    expect(options).toMatchObject({
      dataLogDir: "/l",
      tls: { port: 2281, passphrase: "hush", clientAuth: "want" },
      maxSessionTimeoutMs: 9000,
      purge: { retainCount: 3, intervalMs: 600_000 },
      fourLetterWords: ["stat", "ruok"],
      metrics: { port: 7000 },
      extendedTypes: true,
      enforceQuota: true,
      forceSync: false,
      snapCount: 500,
      limits: { frameBytesMax: 0xffff, connectionsPerAddressMax: 0 },
      reaper: { checkIntervalMs: 1000 },
      digestAlgorithm: "sha256",
      superDigest: "super:x",
      saslUsers: { bob: 'se"cret' },
      saslSuperUsers: ["bob"],
      requiredAuthSchemes: ["sasl", "digest"],
    });
    expect(options.admin).toBeUndefined();
    expect(options.minSessionTimeoutMs).toBeUndefined();
    expect(options.tls?.ca?.toString()).toBe("the authorities");
  });

  it("bounds requests in process by the lower of two limits, large ones and handshakes only when asked to", async () => {
    const limitsOf = async (text: string) => (await parseZooCfg(`dataDir=/d\n${text}`)).options.limits;
    expect(await limitsOf("")).toEqual({
      connectionsPerAddressMax: 60,
      connectionsMax: 0,
      outstandingMax: 1000,
      connectThrottle: undefined,
    });
    expect(await limitsOf("request_throttle_max_requests=7\n")).toMatchObject({ outstandingMax: 7 });
    expect(await limitsOf("globalOutstandingLimit=5\nlargeRequestThreshold=-1\n")).toMatchObject({
      outstandingMax: 5,
    });
    const all = "largeRequestThreshold=9\nlargeRequestMaxBytes=99\nconnection_throttle_tokens=4\n";
    const bucket = { tokens: 4, fillIntervalMs: 1, fillCount: 1 };
    expect(await limitsOf(all)).toMatchObject({
      largeRequestBytes: 9,
      largeRequestsBytesMax: 99,
      connectThrottle: { ...bucket, newSessionTokens: 1, renewedSessionTokens: 1 },
    });
    expect(await limitsOf(`${all}connection_throttle_weight_enabled=true\n`)).toMatchObject({
      connectThrottle: { ...bucket, newSessionTokens: 3, renewedSessionTokens: 2 },
    });
  });

  it("lets system properties win, with and without their prefix, and stand for dataDir too", async () => {
    const { options, warnings } = await parseZooCfg("zookeeper.snapCount=1\npreAllocSize=1\n", read, {
      dataDir: "/d",
      "zookeeper.snapCount": "2",
      "zookeeper.preAllocSize": "3",
      "jute.maxbuffer": "4",
    });
    expect(options).toMatchObject({
      dataDir: "/d",
      snapCount: 2,
      preAllocKb: 3,
      limits: { frameBytesMax: 4 },
    });
    expect(warnings).toEqual([]);
  });

  it("warns about keys that somebody may count on in vain, and is silent about Java's own", async () => {
    const { warnings } = await parseZooCfg(
      "dataDir=/d\nzookeeper.audit.enable=true\nnio.numWorkerThreads=4\nssl.crl=false\nflushDelay=5\n",
    );
    expect(warnings).toEqual(["zookeeper.audit.enable is ignored: no audit log is written"]);
  });

  it("names keys that it does not know", async () => {
    const { warnings } = await parseZooCfg("dataDir=/d\ntikTime=2000\n");
    expect(warnings).toEqual(["tikTime is not known to this server and is ignored"]);
  });

  it("refuses ensembles, a missing dataDir and values that cannot be", async () => {
    const refused: Readonly<Record<string, string>> = {
      "clientPort=2181": "MISSING_KEY",
      "dataDir=/d\nserver.1=a:2888:3888": "ENSEMBLE",
      "dataDir=/d\npeerType=observer": "ENSEMBLE",
      "dataDir=/d\ntickTime=fast": "INVALID_VALUE",
      "dataDir=/d\nforceSync=maybe": "INVALID_VALUE",
      "dataDir=/d\nautopurge.purgeInterval=never": "INVALID_VALUE",
      "dataDir=/d\nsecureClientPort=1": "MISSING_KEY",
      "dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=none.pem": "UNREADABLE_FILE",
      "dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=key.pem\nssl.keyStore.type=BCFKS":
        "INVALID_VALUE",
      "dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=key.pem\nssl.trustStore.location=ca.pem\nssl.trustStore.type=JKS":
        "INVALID_VALUE",
      "dataDir=/d\nssl.crl=true": "INVALID_VALUE",
      "dataDir=/d\nzookeeper.ssl.ocsp=true": "INVALID_VALUE",
      "dataDir=/d\nauthProvider.1=com.example.Own": "INVALID_VALUE",
      "dataDir=/d\njava.security.auth.login.config=empty.conf": "INVALID_VALUE",
    };
    for (const [text, code] of Object.entries(refused)) {
      await expect(parseZooCfg(text, read), text).rejects.toMatchObject({ code, effect: "none" });
    }
  });
});
