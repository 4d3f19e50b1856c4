// SPDX-License-Identifier: Apache-2.0
// Who is there: client certificates on the TLS port, and SASL DIGEST-MD5 spoken by Java's own client.
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { CREATOR_ALL_ACL, ZooKeeperClient } from "@meerkat/client";
import { EmbeddedServer } from "@meerkat/server";
import { scratchDir, toolsAvailable } from "@meerkat/testkit";
import { CreateRequest, GetAclResponse, OpCode, PathRecord, SaslToken } from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import { RawClient } from "../support/raw-client.ts";

const run = promisify(execFile);
const AUTH_FAILED = -115;
const INVALID_ACL = -114;

/** A CA and certificates of a server and of a client, by file name. */
async function certificates(): Promise<Map<string, string>> {
  await using directory = await scratchDir();
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: directory.path, stdio: "ignore" });
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-days",
    "2",
    "-subj",
    "/CN=Test CA",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
  );
  for (const [name, subject] of [
    ["server", "/CN=localhost"],
    ["client", "/O=Zoo/CN=keeper"],
  ] as const) {
    openssl("req", "-new", ...key, "-subj", subject, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    const ca = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...ca, "-days", "2", "-out", `${name}.crt`);
  }
  const names = ["ca.crt", "server.key", "server.crt", "client.key", "client.crt"];
  return new Map(names.map((name) => [name, readFileSync(directory.join(name), "utf8")]));
}

describe.runIf(toolsAvailable("TLS port", "openssl"))("the TLS port", () => {
  it("serves beside the plain one, and a client certificate is an identity of scheme x509", async () => {
    const pem = await certificates();
    const ca = pem.get("ca.crt");
    await using server = await EmbeddedServer.start({
      memory: true,
      tls: { cert: pem.get("server.crt"), key: pem.get("server.key"), ca, clientAuth: "want" },
    });
    const hosts = `127.0.0.1:${server.securePort}`;
    const tls = { ca, serverName: "localhost" };
    const keeper = { ...tls, cert: pem.get("client.crt"), key: pem.get("client.key") };
    await using client = await ZooKeeperClient.connect({ hosts, tls: keeper });
    await client.create("/mine", "secret", { acl: CREATOR_ALL_ACL });
    expect((await client.getAcl("/mine")).acl).toEqual([
      { permissions: 31, scheme: "x509", id: "CN=keeper,O=Zoo" },
    ]);
    await using stranger = await ZooKeeperClient.connect({ hosts, tls });
    await expect(stranger.get("/mine")).rejects.toMatchObject({ code: "NO_AUTH" });
    await using plain = await RawClient.connect(server);
    expect(await plain.create("/plain")).toBe("/plain");
    // More than one TLS record each way.
    const big = Buffer.alloc(600_000, 7);
    await client.create("/big", big);
    expect((await client.get("/big")).data.equals(big)).toBe(true);
  });
});

describe("SASL", () => {
  it("fails with -115 and the end of the connection where no users are set up", async () => {
    await using server = await EmbeddedServer.start({ memory: true });
    const client = await RawClient.connect(server);
    const xid = client.send(OpCode.sasl, (out) => SaslToken.write(out, { token: Buffer.alloc(0) }));
    expect((await client.reply(xid)).header.err).toBe(AUTH_FAILED);
    await client.untilClosed();
    const acl = [{ permissions: 31, scheme: "sasl", id: "bob" }];
    await using other = await RawClient.connect(server);
    const create = { path: "/s", data: null, acl, flags: 0 };
    expect(await other.code(OpCode.create, CreateRequest, create)).toBe(INVALID_ACL);
  });

  it.runIf(toolsAvailable("SASL with Java's client", "java-zookeeper"))(
    "DIGEST-MD5 admits Java's client with the right password and no other",
    async () => {
      await using directory = await scratchDir();
      await using server = await EmbeddedServer.start({ memory: true, saslUsers: { bob: "secret" } });
      const zkCli = async (password: string, path: string): Promise<string> => {
        const jaas = directory.join(`${password}.conf`);
        const module = "org.apache.zookeeper.server.auth.DigestLoginModule required";
        await writeFile(jaas, `Client { ${module} username="bob" password="${password}"; };`);
        const jars = ["zookeeper.jar", "slf4j-simple.jar"].map((jar) => `/usr/share/java/${jar}`).join(":");
        const options = ["-cp", jars, `-Djava.security.auth.login.config=${jaas}`];
        const main = ["org.apache.zookeeper.ZooKeeperMain", "-server", server.connectString];
        const command = ["create", path, "data", "auth::cdrwa"];
        const { stdout, stderr } = await run("java", [...options, ...main, ...command], {
          timeout: 40_000,
        }).catch((error: { stdout: string; stderr: string }) => error);
        return stdout + stderr;
      };
      expect(await zkCli("secret", "/bobs")).toContain("Created /bobs");
      await zkCli("wrong", "/nobodys");
      await using client = await RawClient.connect(server);
      const { acl } = await client.call(OpCode.getACL, [PathRecord, { path: "/zookeeper" }], GetAclResponse);
      expect(acl).toHaveLength(1);
      expect(await client.code(OpCode.getACL, PathRecord, { path: "/bobs" })).toBe(-102);
      expect(await client.code(OpCode.getACL, PathRecord, { path: "/nobodys" })).toBe(-101);
    },
    90_000,
  );
});
