// SPDX-License-Identifier: Apache-2.0
// SASL DIGEST-MD5 (RFC 2831), authentication only, as ZooKeeper's servers speak it. MD5 is weak: use it
// within TLS.
import { createHash, timingSafeEqual } from "node:crypto";
import { InvalidArgumentError, type Random, systemRuntime } from "@meerkat/runtime";
import type { SaslExchange, SaslMechanism } from "../session/sasl.ts";

/** Service and host that all ZooKeeper servers go by in this mechanism. */
const DIGEST_URI = "zookeeper/zk-sasl-md5";
const NONCE_COUNT = "00000001";
const NONCE_BYTES = 24;

/** Credentials for `digestMd5`. */
export interface DigestMd5Options {
  readonly username: string;
  readonly password: string;
  /** Source of the client's nonce; the system's when left out. */
  readonly random?: Random | undefined;
}

/** The mechanism for a user of the server's JAAS file (`org.apache.zookeeper.server.auth.DigestLoginModule`). */
export function digestMd5(options: DigestMd5Options): SaslMechanism {
  if (options.username === "") throw new InvalidArgumentError("username", "DIGEST-MD5 needs a username");
  const random = options.random ?? systemRuntime.random;
  return { name: "DIGEST-MD5", start: () => new DigestMd5Exchange(options, random) };
}

function md5(...parts: readonly (string | Buffer)[]): Buffer {
  const hash = createHash("md5");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Parses `key=value,key="quoted"`; a key that comes twice keeps its first value. */
function parseDirectives(text: string): Map<string, string> {
  const directives = new Map<string, string>();
  for (const match of text.matchAll(/([a-zA-Z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^,"\s]*))/g)) {
    const [, key = "", quoted, plain = ""] = match;
    const value = quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, "$1");
    if (!directives.has(key.toLowerCase())) directives.set(key.toLowerCase(), value);
  }
  return directives;
}

function quote(value: string): string {
  return `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
}

/**
 * What goes into the hash: ISO 8859-1 as long as that can express the text, UTF-8 otherwise (RFC 2831
 * §2.1.2.1), whatever the charset of the message.
 */
function hashed(text: string): Buffer {
  const latin1 = Buffer.from(text, "latin1");
  return latin1.toString("latin1") === text ? latin1 : Buffer.from(text, "utf8");
}

class DigestMd5Exchange implements SaslExchange {
  complete = false;
  readonly #options: DigestMd5Options;
  readonly #random: Random;
  /** What the server must prove in its last token. */
  #expected: Buffer | undefined;

  constructor(options: DigestMd5Options, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  initial(): Uint8Array {
    return new Uint8Array(0);
  }

  respond(token: Uint8Array): Uint8Array | null {
    const directives = parseDirectives(Buffer.from(token).toString("utf8"));
    if (this.#expected !== undefined) return this.#verify(this.#expected, directives.get("rspauth"));
    const nonce = directives.get("nonce");
    if (nonce === undefined) throw new Error("the challenge has no nonce");
    const qop = directives.get("qop") ?? "auth";
    if (!qop.split(",").some((each) => each.trim() === "auth"))
      throw new Error(`qop ${qop} is not supported`);
    return Buffer.from(this.#answer(nonce, directives.get("realm"), directives.get("charset") === "utf-8"));
  }

  #answer(nonce: string, realm: string | undefined, utf8: boolean): string {
    const { username, password } = this.#options;
    const cnonce = Buffer.from(this.#random.bytes(NONCE_BYTES)).toString("base64url");
    const secret = md5(hashed(username), ":", hashed(realm ?? ""), ":", hashed(password));
    const ha1 = md5(secret, `:${nonce}:${cnonce}`).toString("hex");
    const digest = (method: string): string => {
      const ha2 = md5(`${method}:${DIGEST_URI}`).toString("hex");
      return md5(`${ha1}:${nonce}:${NONCE_COUNT}:${cnonce}:auth:${ha2}`).toString("hex");
    };
    this.#expected = Buffer.from(digest(""));
    return [
      ...(utf8 ? ["charset=utf-8"] : []),
      `username=${quote(username)}`,
      ...(realm === undefined ? [] : [`realm=${quote(realm)}`]),
      `nonce=${quote(nonce)}`,
      `nc=${NONCE_COUNT}`,
      `cnonce=${quote(cnonce)}`,
      `digest-uri=${quote(DIGEST_URI)}`,
      "maxbuf=65536",
      `response=${digest("AUTHENTICATE")}`,
      "qop=auth",
    ].join(",");
  }

  #verify(expected: Buffer, rspauth: string | undefined): null {
    const given = Buffer.from(rspauth ?? "");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new Error("the server did not prove that it knows the password");
    }
    this.complete = true;
    return null;
  }
}
