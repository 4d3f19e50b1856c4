// SPDX-License-Identifier: Apache-2.0
// What to tell a person about a failure: the error's own message, and what to do next where that is known.
import { isCodedError } from "@meerkat/runtime";
import { UsageError } from "./usage-error.ts";

/** A failure in words. */
export interface Explanation {
  readonly message: string;
  readonly hint: string | undefined;
  /** Whether the command line itself was wrong. */
  readonly isUsage: boolean;
}

const START_SERVER =
  "is ZooKeeper running there? `meerkat server` starts one here; `meerkat doctor` looks closer.";

const HINTS: Readonly<Record<string, string>> = {
  NO_NODE: "the path does not exist; `meerkat ls` shows what does, `create --parents` makes what is missing.",
  NODE_EXISTS: "use `meerkat set` to change it, or `create --sequential` for a fresh name.",
  NOT_EMPTY: "it has children; `meerkat rm -r` removes them too.",
  BAD_VERSION: "somebody changed it meanwhile; `meerkat stat` shows the present version.",
  NO_AUTH: "its ACL does not let you; pass --auth digest:user:password or set MEERKAT_AUTH.",
  INVALID_ACL: "an ACL looks like world:anyone:cdrwa or digest:USER:HASH:rw.",
  NO_CHILDREN_FOR_EPHEMERALS: "an ephemeral znode cannot have children.",
  CONNECTION_LOSS: START_SERVER,
  TIMEOUT: START_SERVER,
  AUTH_FAILED: "the server refused the credentials of --auth or MEERKAT_AUTH.",
  SESSION_EXPIRED: "the server was out of reach for longer than the session timeout; run it again.",
  NOT_READ_ONLY: "the server has lost its quorum and only answers reads.",
  NO_ENDPOINT: "`meerkat services` lists the live servers and the services they belong to.",
  EADDRINUSE: "another program listens there; --client-port 0 takes a free port.",
  EACCES: "the operating system does not allow it to this user.",
  UNIMPLEMENTED: "this server is too old for it, or the feature is switched off there.",
};

/** Turns anything thrown into words. */
export function explainError(error: unknown): Explanation {
  if (isCodedError(error)) {
    return {
      message: error.message,
      hint: HINTS[error.code],
      isUsage: error.code === "INVALID_ARGUMENT",
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  const { code } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  return {
    message,
    hint: code === undefined ? undefined : HINTS[code],
    isUsage: error instanceof UsageError,
  };
}
