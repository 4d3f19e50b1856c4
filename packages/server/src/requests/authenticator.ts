// SPDX-License-Identifier: Apache-2.0
// How a connection proves who it is: by an auth packet, or by an exchange of SASL tokens.
import { createHash } from "node:crypto";
import type { Random } from "@meerkat/runtime";
import { type Identity, SUPER_SCHEME } from "../tree/access.ts";
import { DigestMd5Exchange, type SaslStep } from "./sasl-digest-md5.ts";

/** The part of the configuration that authentication depends on. */
export interface AuthenticatorOptions {
  /** `super:<hash>`; whoever proves it may do everything. */
  readonly superDigest?: string | undefined;
  /** Hash of digests, by OpenSSL's name; `sha1` unless the configuration names another. */
  readonly digestAlgorithm?: string | undefined;
  readonly saslUsers?: Readonly<Record<string, string>> | undefined;
  readonly saslSuperUsers?: readonly string[] | undefined;
}

const superIdentity: Identity = { scheme: SUPER_SCHEME, id: "" };

/** Turns proofs into identities. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #random: Random;

  constructor(options: AuthenticatorOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** The identities that an auth packet proves; undefined when the scheme is unknown or the data is refused. */
  authenticate(scheme: string, data: Uint8Array | null): readonly Identity[] | undefined {
    // The address of a connection is known from the start; clients may still send an auth packet for it.
    if (scheme === "ip") return [];
    if (scheme !== "digest" || data === null) return undefined;
    const { superDigest, digestAlgorithm = "sha1" } = this.#options;
    const text = Buffer.from(data).toString();
    const user = text.split(":", 1)[0] ?? "";
    const id = `${user}:${createHash(digestAlgorithm).update(text).digest("base64")}`;
    const identity = { scheme, id };
    return id === superDigest ? [superIdentity, identity] : [identity];
  }

  /** Starts a SASL exchange; undefined where no users are set up. */
  startSasl(): DigestMd5Exchange | undefined {
    const { saslUsers } = this.#options;
    return saslUsers === undefined ? undefined : new DigestMd5Exchange(saslUsers, this.#random);
  }

  /** The identities of a user whose exchange is done. */
  saslIdentities(step: SaslStep & { readonly kind: "done" }): readonly Identity[] {
    const identity = { scheme: "sasl", id: step.user };
    return this.#options.saslSuperUsers?.includes(step.user) ? [superIdentity, identity] : [identity];
  }
}
