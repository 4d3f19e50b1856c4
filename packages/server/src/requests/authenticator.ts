// SPDX-License-Identifier: Apache-2.0
// How a connection proves who it is by an auth packet.
import { createHash } from "node:crypto";
import { type Identity, SUPER_SCHEME } from "../tree/access.ts";

/** Configuration of the digest scheme. */
export interface AuthenticatorOptions {
  /** `super:<hash>`; whoever proves it may do everything. */
  readonly superDigest?: string | undefined;
  /** Hash of digests, by OpenSSL's name; `sha1` unless the configuration names another. */
  readonly digestAlgorithm?: string | undefined;
}

/** Turns auth packets into identities. */
export class Authenticator {
  readonly #superDigest: string | undefined;
  readonly #algorithm: string;

  constructor(options: AuthenticatorOptions) {
    this.#superDigest = options.superDigest;
    this.#algorithm = options.digestAlgorithm ?? "sha1";
  }

  /** The identities that the data proves; undefined when the scheme is unknown or the data is refused. */
  authenticate(scheme: string, data: Uint8Array | null): readonly Identity[] | undefined {
    // The address of a connection is known from the start; clients may still send an auth packet for it.
    if (scheme === "ip") return [];
    if (scheme !== "digest" || data === null) return undefined;
    const text = Buffer.from(data).toString();
    const user = text.split(":", 1)[0] ?? "";
    const id = `${user}:${createHash(this.#algorithm).update(text).digest("base64")}`;
    const identity = { scheme, id };
    return id === this.#superDigest ? [{ scheme: SUPER_SCHEME, id: "" }, identity] : [identity];
  }
}
