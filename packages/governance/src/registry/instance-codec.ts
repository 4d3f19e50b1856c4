// SPDX-License-Identifier: Apache-2.0
// The seam between registry layouts and everything else: how a member's znode is named, made and read.
import type { Endpoint } from "../endpoint.ts";
import type { InstanceFields } from "./instance.ts";

/** A member's znode, ready to be created. */
export interface EncodedInstance {
  /** Name under the root; a sequential mode appends ten digits. */
  readonly name: string;
  readonly mode: "ephemeralSequential";
  readonly data: Buffer;
}

/** What a child of the root turned out to be. */
export type DecodedMember =
  | { readonly kind: "member"; readonly endpoints: readonly Endpoint[]; readonly identity: string }
  /** No instance and not meant to be one. */
  | { readonly kind: "other" }
  /** Meant to be an instance, but not understood. */
  | { readonly kind: "bad"; readonly reason: string };

/** One registry layout. Pure: it sees names and bytes only. */
export interface InstanceCodec {
  /** "seed". */
  readonly name: string;
  /** Whether a child of the root may be a member, by its name alone. */
  isMember(name: string): boolean;
  /** Never throws, whatever the bytes are. */
  decode(path: string, data: Buffer): DecodedMember;
  /** Throws `INVALID_INSTANCE` for an instance that cannot be written. */
  encode(instance: InstanceFields): EncodedInstance;
}
