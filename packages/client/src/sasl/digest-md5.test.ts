// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { seededRandom } from "@meerkat/runtime";
import { describe, expect, test } from "vitest";
import { digestMd5 } from "./digest-md5.ts";

const CHALLENGE = 'realm="zk-sasl-md5",nonce="no\\"nce",qop="auth,auth-int",charset=utf-8,algorithm=md5-sess';
const SERVER = { host: "a", port: 1 };

function directive(text: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="?([^",]*)"?`).exec(text)?.[1] ?? "";
}

/** The response of RFC 2831 §2.1.2.1, written out once more with bytes given by hand. */
function response(method: string, secret: Buffer, nonce: string, cnonce: string): string {
  const md5 = (...parts: (string | Buffer)[]): Buffer => {
    const hash = createHash("md5");
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const a1 = md5(md5(secret), `:${nonce}:${cnonce}`).toString("hex");
  const a2 = md5(`${method}:zookeeper/zk-sasl-md5`).toString("hex");
  return md5(`${a1}:${nonce}:00000001:${cnonce}:auth:${a2}`).toString("hex");
}

describe("DIGEST-MD5", () => {
  test.each([
    ["secret", Buffer.from("secret")],
    ["grün", Buffer.from([0x67, 0x72, 0xfc, 0x6e])],
    ["ключ", Buffer.from("ключ", "utf8")],
  ])("proves the password %s and has the server prove it too", async (password, passwordBytes) => {
    const exchange = digestMd5({ username: 'a"b', password, random: seededRandom(1) }).start(SERVER);
    expect(await exchange.initial()).toHaveLength(0);
    const answer = Buffer.from((await exchange.respond(Buffer.from(CHALLENGE))) ?? []).toString();
    expect(answer).toContain('username="a\\"b"');
    expect(answer).toContain('nonce="no\\"nce"');
    const secret = Buffer.concat([Buffer.from('a"b:zk-sasl-md5:'), passwordBytes]);
    const cnonce = directive(answer, "cnonce");
    expect(directive(answer, "response")).toBe(response("AUTHENTICATE", secret, 'no"nce', cnonce));
    expect(exchange.complete).toBe(false);
    const proof = `rspauth=${response("", secret, 'no"nce', cnonce)}`;
    expect(await exchange.respond(Buffer.from(proof))).toBeNull();
    expect(exchange.complete).toBe(true);
  });

  test("refuses a server that does not know the password, and challenges it cannot answer", () => {
    const start = (): ReturnType<ReturnType<typeof digestMd5>["start"]> =>
      digestMd5({ username: "a", password: "p", random: seededRandom(1) }).start(SERVER);
    const exchange = start();
    void exchange.respond(Buffer.from(CHALLENGE));
    expect(() => exchange.respond(Buffer.from("rspauth=00"))).toThrow("prove");
    expect(() => start().respond(Buffer.from('realm="x"'))).toThrow("nonce");
    expect(() => start().respond(Buffer.from('nonce="x",qop="auth-conf"'))).toThrow("qop");
    expect(() => digestMd5({ username: "", password: "p" })).toThrow("username");
  });
});
