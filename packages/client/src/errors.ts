// SPDX-License-Identifier: Apache-2.0
// The client's errors: the server's codes by their ZooKeeper names, and the client's own beside them.
import { CodedError, type Effect } from "@meerkat/runtime";
import { ErrorCode, type ErrorCodeName, errorCodeName, parentPath } from "@meerkat/wire";

/**
 * What went wrong. Names of the server's codes as in `ErrorCode` of the wire package; then the client's:
 * `TIMEOUT` the request's own time limit; `ABORTED` its signal; `CLOSED` the client was closed;
 * `QUEUE_FULL` too many requests wait for a connection; `REQUEST_TOO_LARGE` more bytes than the server
 * takes; `PROTOCOL_ERROR` bytes that are no ZooKeeper reply; `UNKNOWN_ERROR` a code newer than this client.
 */
export type ZooKeeperErrorCode =
  | Exclude<ErrorCodeName, "OK">
  | "TIMEOUT"
  | "ABORTED"
  | "CLOSED"
  | "QUEUE_FULL"
  | "REQUEST_TOO_LARGE"
  | "PROTOCOL_ERROR"
  | "UNKNOWN_ERROR";

/** Circumstances of a `ZooKeeperError`. Never holds data, passwords or auth. */
export interface ZooKeeperErrorContext {
  /** The caller's path (without the chroot). */
  readonly path?: string | undefined;
  /** The client's name of the operation, such as `get`. */
  readonly operation?: string | undefined;
  /** The number the server sent, where it sent one. */
  readonly serverCode?: number | undefined;
  /** In a transaction: position of the operation that failed. */
  readonly index?: number | undefined;
  /** In a transaction: one entry for each operation, `OK` for those that were rolled back. */
  readonly results?: readonly string[] | undefined;
}

/** Every failure of a request or a session. */
export class ZooKeeperError extends CodedError<ZooKeeperErrorCode, ZooKeeperErrorContext> {
  constructor(
    code: ZooKeeperErrorCode,
    message: string,
    options: {
      readonly effect?: Effect | undefined;
      readonly context?: ZooKeeperErrorContext | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, {
      code,
      effect: options.effect ?? "none",
      context: options.context ?? {},
      cause: options.cause,
    });
  }
}

/** True for a `ZooKeeperError`, with the given code if one is given. */
export function isZooKeeperError(value: unknown, code?: ZooKeeperErrorCode): value is ZooKeeperError {
  return value instanceof ZooKeeperError && (code === undefined || value.code === code);
}

/** What each code means and what helps, put behind "operation path: ". */
const explanations: Partial<Record<ZooKeeperErrorCode, (path: string, operation: string) => string>> = {
  NO_NODE: (path, operation) =>
    operation === "create"
      ? `the parent ${parentPath(path)} does not exist; create it first or pass createParents: true`
      : "there is no such znode",
  NODE_EXISTS: () => "the znode exists already",
  BAD_VERSION: () => "the znode was changed meanwhile (another version than expected); read it again",
  NOT_EMPTY: () => "the znode has children; delete them first or use deleteRecursive",
  NO_AUTH: () => "the ACL does not permit it to this client's identities; see addAuth and getAcl",
  NO_CHILDREN_FOR_EPHEMERALS: (path) =>
    `the parent ${parentPath(path)} is ephemeral and can have no children`,
  INVALID_ACL: () =>
    "the ACL is empty, malformed, or names `auth` without this client being authenticated; see addAuth",
  BAD_ARGUMENTS: () =>
    "the server refused the arguments (a path it does not allow, or a TTL without extendedTypesEnabled)",
  UNIMPLEMENTED: () => "the server is too old for this operation or has it switched off",
  NOT_READ_ONLY: () => "connected to a read-only server, which takes no writes; wait for state connected",
  NO_WATCHER: () => "the server holds no such watch",
  QUOTA_EXCEEDED: () => "the quota of this subtree is used up",
  THROTTLED_OP: () => "the server is overloaded and did not execute it; try again later",
  RECONFIG_DISABLED: () => "the server has reconfigEnabled=false",
  SESSION_EXPIRED: () => "the session has expired",
  SESSION_MOVED: () => "the session has moved to another server; the request was not executed",
  EPHEMERAL_ON_LOCAL_SESSION: () => "a local session cannot own ephemeral znodes",
};

/** Makes the error for a code that the server sent: nothing was applied. */
export function serverError(err: number, operation: string, path: string): ZooKeeperError {
  const name = errorCodeName(err);
  const code: ZooKeeperErrorCode = name === undefined || name === "OK" ? "UNKNOWN_ERROR" : name;
  const explanation = explanations[code]?.(path, operation) ?? `the server answered ${code} (${err})`;
  return new ZooKeeperError(code, `${operation} ${path}: ${explanation} (${code})`, {
    context: { path, operation, serverCode: err },
  });
}

/** The name for a result inside a transaction. */
export function resultName(err: number): string {
  return err === ErrorCode.OK ? "OK" : (errorCodeName(err) ?? `UNKNOWN_ERROR (${err})`);
}

/** The end of a session. */
export function expiredError(id: bigint, why: string): ZooKeeperError {
  return new ZooKeeperError(
    "SESSION_EXPIRED",
    `session 0x${BigInt.asUintN(64, id).toString(16)} has expired: ${why} (SESSION_EXPIRED)`,
  );
}

/** The client was ended; `why` says how. */
export function closedError(why: string): ZooKeeperError {
  return new ZooKeeperError("CLOSED", `${why} (CLOSED)`);
}

/** Whatever went wrong while authenticating, as `AUTH_FAILED`. */
export function authFailure(error: Error): ZooKeeperError {
  if (isZooKeeperError(error, "AUTH_FAILED")) return error;
  return new ZooKeeperError("AUTH_FAILED", `authentication failed: ${error.message} (AUTH_FAILED)`, {
    cause: error,
  });
}
