// SPDX-License-Identifier: Apache-2.0
// The seam between registry layouts and everything else: how a member's znode is named, made and read.
import type { Endpoint } from "../endpoint.ts";
import type { InstanceFields } from "./instance.ts";

/** What a codec may know beside the instance. The same for the whole life of a registration. */
export interface EncodeContext {
  /** The znode under which the member will be. */
  readonly root: string;
  /** When the registration began, ms since 1970: some layouts publish it. */
  readonly registeredAtMs: number;
}

/** A member's znode, ready to be created. */
export interface EncodedInstance {
  /** Name under the root; "ephemeralSequential" appends ten digits. */
  readonly name: string;
  /** With "ephemeral" the name belongs to this instance alone, and another name means another znode. */
  readonly mode: "ephemeralSequential" | "ephemeral";
  readonly data: Buffer;
}

/** What a child of the root turned out to be. */
export type DecodedMember =
  | { readonly kind: "member"; readonly endpoints: readonly Endpoint[]; readonly identity: string }
  /** Weights for other children: the factor for an endpoint, 1 for none, below 0 to hide it. */
  | { readonly kind: "weights"; factorOf(endpoint: Endpoint): number }
  /** No instance and not meant to be one. */
  | { readonly kind: "other" }
  /** Meant to be an instance, but not understood. */
  | { readonly kind: "bad"; readonly reason: string };

/** The reading half of a layout: enough for a directory. Pure: it sees names and bytes only. */
export interface InstanceDecoder {
  /** "seed". */
  readonly name: string;
  /** Where services of this layout live by habit; "/services" when left out. */
  readonly servicesRoot?: string | undefined;
  /** Name of the znode between a service's own znode and its members ("providers"); none when left out. */
  readonly membersName?: string | undefined;
  /** Whether a child of the root may be a member, by its name alone. */
  isMember(name: string): boolean;
  /** Never throws, whatever the bytes are. */
  decode(path: string, data: Buffer): DecodedMember;
}

/** One registry layout, to read and to write. */
export interface InstanceCodec extends InstanceDecoder {
  /** How missing parents are made: "container" has the server remove them once empty; default "persistent". */
  readonly rootMode?: "persistent" | "container" | undefined;
  /** What makes two registrations the same instance; default `instanceIdentity`. As `decode` says it. */
  identity?(instance: InstanceFields): string;
  /** Throws `INVALID_INSTANCE` for an instance that this layout cannot carry. */
  encode(instance: InstanceFields, context: EncodeContext): EncodedInstance;
  /**
   * The data with `changes` laid over the instance in it (undefined removes a field). Everything else,
   * unknown or not, stays as it was written, digit for digit. Throws `INVALID_INSTANCE` when the data is
   * not understood or the change is not possible. Missing where the znode's name holds the instance.
   */
  rewrite?(data: Buffer, changes: Readonly<Record<string, unknown>>): Buffer;
}

/** Whether a layout can be written. */
export function isInstanceCodec(decoder: InstanceDecoder): decoder is InstanceCodec {
  return "encode" in decoder;
}
