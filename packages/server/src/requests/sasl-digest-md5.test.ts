// SPDX-License-Identifier: Apache-2.0
import { seededRandom } from "@meerkat/runtime";
import { describe, expect, it } from "vitest";
import { DigestMd5Exchange, digestResponse, parseDirectives } from "./sasl-digest-md5.ts";

/** The exchange printed in RFC 2831 §4. */
const rfc = {
  username: "chris",
  realm: "elwood.innosoft.com",
  nonce: "OA6MG9tEQGm2hh",
  cnonce: "OA6MHXh6VqTrRk",
  nc: "00000001",
  digestUri: "imap/elwood.innosoft.com",
  authzid: undefined,
};

function answer(exchange: DigestMd5Exchange, change: Partial<Record<string, string>> = {}): string {
  const challenge = exchange.step(null);
  const nonce = challenge.kind === "challenge" && parseDirectives(challenge.token.toString())?.get("nonce");
  const fields = {
    username: "bob",
    realm: "zk-sasl-md5",
    nonce: nonce || "",
    cnonce: "abc",
    nc: "00000001",
    digestUri: "zookeeper/zk-sasl-md5",
    authzid: undefined,
  };
  const response = digestResponse("AUTHENTICATE", "secret", fields);
  const all = {
    username: fields.username,
    realm: fields.realm,
    nonce: fields.nonce,
    nc: fields.nc,
    cnonce: fields.cnonce,
    "digest-uri": fields.digestUri,
    qop: "auth",
    response,
    ...change,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");
}

function newExchange(): DigestMd5Exchange {
  return new DigestMd5Exchange({ bob: "secret" }, seededRandom(1));
}

describe("DIGEST-MD5", () => {
  it("computes the values of the RFC's example", () => {
    expect(digestResponse("AUTHENTICATE", "secret", rfc)).toBe("d388dad90d4bbd760a152321f2143af7");
    expect(digestResponse("", "secret", rfc)).toBe("ea40f60335c427b5527b84dbabcdfffd");
  });

  it("admits a user who answers the challenge, and proves itself in turn", () => {
    const exchange = newExchange();
    const step = exchange.step(Buffer.from(answer(exchange)));
    expect(step).toMatchObject({ kind: "done", user: "bob" });
  });

  it("refuses a wrong password, another challenge's answer, another user and malformed answers", () => {
    const wrong: Partial<Record<string, string>>[] = [
      { response: "0".repeat(32) },
      { nonce: "stale" },
      { nc: "00000002" },
      { username: "eve" },
      { username: "__proto__" },
      { authzid: "root" },
      { "digest-uri": "imap/other" },
      { qop: "auth-conf" },
    ];
    for (const change of wrong) {
      const exchange = newExchange();
      expect(exchange.step(Buffer.from(answer(exchange, change))).kind, JSON.stringify(change)).toBe(
        "failed",
      );
    }
    for (const text of ["", "=", "a=b,a=c", 'x="', "\u0000"]) {
      const exchange = newExchange();
      exchange.step(null);
      expect(exchange.step(Buffer.from(text)).kind, text).toBe("failed");
    }
  });

  it("reads quoted and plain values with escapes", () => {
    expect([...(parseDirectives('a="x\\"y,", b = c ,d=""') ?? [])]).toEqual([
      ["a", 'x"y,'],
      ["b", "c"],
      ["d", ""],
    ]);
  });
});
