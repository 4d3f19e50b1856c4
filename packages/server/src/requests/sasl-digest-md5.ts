// SPDX-License-Identifier: Apache-2.0
// SASL DIGEST-MD5 (RFC 2831), server side, with what ZooKeeper fixes: protocol `zookeeper`, realm and server
// name `zk-sasl-md5`, quality of protection `auth`. Two steps: a challenge, and the check of the answer.
import { createHash, timingSafeEqual } from "node:crypto";
import type { Random } from "@meerkat/runtime";

const REALM = "zk-sasl-md5";
const DIGEST_URI = `zookeeper/${REALM}`;
const NONCE_BYTES = 24;

/** What a step ends with: another token for the client, perhaps the last one, or a refusal. */
export type SaslStep =
  | { readonly kind: "challenge"; readonly token: Buffer }
  | { readonly kind: "done"; readonly token: Buffer; readonly user: string }
  | { readonly kind: "failed"; readonly reason: string };

function md5(...parts: readonly (string | Buffer)[]): Buffer {
  const hash = createHash("md5");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/**
 * What goes into the hash: ISO 8859-1 as long as that can express the text, UTF-8 otherwise (RFC 2831
 * §2.1.2.1), whatever the charset of the message.
 */
function hashed(text: string): Buffer {
  const latin1 = Buffer.from(text, "latin1");
  return latin1.toString("latin1") === text ? latin1 : Buffer.from(text, "utf8");
}

/** `name=value, name="quoted \" value"` pairs; undefined when malformed or repeated. */
export function parseDirectives(text: string): Map<string, string> | undefined {
  const directives = new Map<string, string>();
  const pattern = /\s*([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))\s*(?:,|$)/y;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null) return undefined;
    const [, name = "", quoted, plain] = match;
    if (directives.has(name)) return undefined;
    directives.set(name, quoted === undefined ? (plain ?? "") : quoted.replaceAll(/\\(.)/g, "$1"));
  }
  return directives;
}

/** The response value: over the client's A2, or with an empty method the server's proof. */
export function digestResponse(
  method: "AUTHENTICATE" | "",
  password: string,
  fields: {
    readonly username: string;
    readonly realm: string;
    readonly nonce: string;
    readonly cnonce: string;
    readonly nc: string;
    readonly digestUri: string;
    readonly authzid: string | undefined;
  },
): string {
  const { username, realm, nonce, cnonce, nc, digestUri, authzid } = fields;
  const secret = md5(hashed(username), ":", hashed(realm), ":", hashed(password));
  const tail = authzid === undefined ? `:${nonce}:${cnonce}` : `:${nonce}:${cnonce}:${authzid}`;
  const a1 = md5(secret, tail).toString("hex");
  const a2 = md5(`${method}:${digestUri}`).toString("hex");
  return md5(`${a1}:${nonce}:${nc}:${cnonce}:auth:${a2}`).toString("hex");
}

/** One exchange on one connection. */
export class DigestMd5Exchange {
  readonly #users: Readonly<Record<string, string>>;
  readonly #nonce: string;
  #challenged = false;

  constructor(users: Readonly<Record<string, string>>, random: Random) {
    this.#users = users;
    this.#nonce = Buffer.from(random.bytes(NONCE_BYTES)).toString("base64");
  }

  /** Takes the client's token: first an empty one, then its answer. */
  step(token: Uint8Array | null): SaslStep {
    if (!this.#challenged) {
      this.#challenged = true;
      const challenge = `realm="${REALM}",nonce="${this.#nonce}",qop="auth",charset=utf-8,algorithm=md5-sess`;
      return { kind: "challenge", token: Buffer.from(challenge) };
    }
    return this.#verify(Buffer.from(token ?? []).toString());
  }

  #verify(text: string): SaslStep {
    const directives = parseDirectives(text);
    const get = (name: string): string => directives?.get(name) ?? "";
    const username = get("username");
    const password = Object.hasOwn(this.#users, username) ? this.#users[username] : undefined;
    if (password === undefined) return { kind: "failed", reason: "unknown user or malformed answer" };
    if (get("nonce") !== this.#nonce || get("nc") !== "00000001" || get("cnonce") === "") {
      return { kind: "failed", reason: "the answer is not to this challenge" };
    }
    if (get("digest-uri").toLowerCase() !== DIGEST_URI || (get("qop") || "auth") !== "auth") {
      return { kind: "failed", reason: `expected digest-uri ${DIGEST_URI} and qop auth` };
    }
    const authzid = directives?.get("authzid");
    if (authzid !== undefined && authzid !== username) {
      return { kind: "failed", reason: "acting for another user is not supported" };
    }
    const fields = {
      username,
      realm: get("realm"),
      nonce: this.#nonce,
      cnonce: get("cnonce"),
      nc: get("nc"),
      digestUri: get("digest-uri"),
      authzid,
    };
    const expected = Buffer.from(digestResponse("AUTHENTICATE", password, fields));
    const given = Buffer.from(get("response"));
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      return { kind: "failed", reason: "wrong password" };
    }
    return {
      kind: "done",
      token: Buffer.from(`rspauth=${digestResponse("", password, fields)}`),
      user: username,
    };
  }
}
