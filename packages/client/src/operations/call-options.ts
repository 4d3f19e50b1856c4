// SPDX-License-Identifier: Apache-2.0
// Options of the calls about znodes.
import type { Acl } from "@meerkat/wire";
import type { CallOptions, WatchListener } from "../session/request.ts";
import type { CreateMode } from "./create.ts";

/** Options of calls that may leave a one-shot watch. */
export interface WatchableCallOptions extends CallOptions {
  /**
   * Called once, at the next change of what the call looked at; it stays armed over reconnects and new
   * sessions. The same function given twice for one path is called once.
   */
  readonly watch?: WatchListener | undefined;
}

/** Options of `create`. */
export interface CreateOptions extends CallOptions {
  /** Default persistent. */
  readonly mode?: CreateMode | undefined;
  /** Default: `defaultAcl` of the client. */
  readonly acl?: readonly Acl[] | undefined;
  /** Life of a TTL znode without changes, in milliseconds. */
  readonly ttlMs?: number | undefined;
  /** Create missing ancestors as persistent znodes. Default false. */
  readonly createParents?: boolean | undefined;
  /**
   * Puts a unique id in front of the name (`_c_<uuid>-name`, as Curator does), so that after a lost reply
   * the znode is found instead of made twice; one whose creation is given up is deleted. Default false.
   */
  readonly protected?: boolean | undefined;
  /**
   * After a lost reply: look and try again instead of rejecting. A znode that exists with the same data is
   * taken for our own, so it suits names that only this client uses. Not for sequential modes. Default
   * false.
   */
  readonly idempotent?: boolean | undefined;
}

/** Options of calls that compare a version. */
export interface VersionedCallOptions extends CallOptions {
  /** Do it only at this version; left out or -1 for any. */
  readonly version?: number | undefined;
}

/** Options of `set` and `delete`. */
export interface SetOptions extends VersionedCallOptions {
  /** After a lost reply: look and try again instead of rejecting with effect unknown. Default false. */
  readonly idempotent?: boolean | undefined;
}
