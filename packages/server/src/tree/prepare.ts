// SPDX-License-Identifier: Apache-2.0
// From a write request to a transaction, or to the error that refuses it. The order of the checks is Apache's
// (PrepRequestProcessor), since clients see which one fails first. Nothing is changed here.
import {
  type Acl,
  CreateFlag,
  ErrorCode,
  OpCode,
  Permission,
  pathProblem,
  sequenceSuffix,
  type Txn,
} from "@meerkat/wire";
import { type Identity, isAllowed, resolveAcl } from "./access.ts";
import { exceedsQuota } from "./quota-table.ts";
import { TTL_MAX_MS } from "./znode-kind.ts";
import { NO_ROW } from "./znode-table.ts";
import type { ZnodeTree } from "./znode-tree.ts";

/** Who asks, and what the server's configuration allows. */
export interface WriteContext {
  readonly identities: readonly Identity[];
  /** Containers and TTL znodes may be made (`extendedTypesEnabled`, for TTL only). */
  readonly extendedTypes: boolean;
  /** Hard quotas are enforced (`enforceQuota`). */
  readonly enforceQuota: boolean;
}

/** A create of any kind, with `ttlMs` only for createTTL. */
export interface CreateOperation {
  readonly type:
    | typeof OpCode.create
    | typeof OpCode.create2
    | typeof OpCode.createContainer
    | typeof OpCode.createTTL;
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[] | null;
  readonly flags: number;
  readonly ttlMs?: bigint | undefined;
}

const NUL = "\0";

function isTtlFlag(flags: number): boolean {
  return flags === CreateFlag.persistentTtl || flags === CreateFlag.persistentSequentialTtl;
}

function isSequential(flags: number): boolean {
  return (
    flags === CreateFlag.persistentSequential ||
    flags === CreateFlag.ephemeralSequential ||
    flags === CreateFlag.persistentSequentialTtl
  );
}

/**
 * Checks 1 to 3 of a create. Apache also takes containers and TTL znodes through the wrong operation and then
 * makes something else of them, or writes a log that it cannot read; here operation and flag must agree.
 */
function flagsProblem(operation: CreateOperation, context: WriteContext): ErrorCode {
  const { type, flags, ttlMs = -1n } = operation;
  if (flags < 0 || flags > CreateFlag.persistentSequentialTtl) return ErrorCode.BAD_ARGUMENTS;
  if (isTtlFlag(flags)) {
    if (!context.extendedTypes) return ErrorCode.UNIMPLEMENTED;
    if (ttlMs <= 0n || ttlMs > BigInt(TTL_MAX_MS)) return ErrorCode.BAD_ARGUMENTS;
  } else if (ttlMs >= 0n) {
    return ErrorCode.BAD_ARGUMENTS;
  }
  const isContainer = flags === CreateFlag.container;
  if (isTtlFlag(flags) !== (type === OpCode.createTTL)) return ErrorCode.BAD_ARGUMENTS;
  return isContainer === (type === OpCode.createContainer) ? ErrorCode.OK : ErrorCode.BAD_ARGUMENTS;
}

/** Validates a create of any kind. */
export function prepareCreate(
  tree: ZnodeTree,
  operation: CreateOperation,
  context: WriteContext,
): Txn | ErrorCode {
  const { type, data, flags } = operation;
  const problem = flagsProblem(operation, context);
  if (problem !== ErrorCode.OK) return problem;
  const slash = operation.path.lastIndexOf("/");
  if (slash < 0 || operation.path.includes(NUL)) return ErrorCode.BAD_ARGUMENTS;
  const acl = resolveAcl(tree.policy, operation.acl, context.identities);
  if (acl === undefined) return ErrorCode.INVALID_ACL;
  const { table } = tree;
  const parent = table.findText(operation.path.slice(0, slash));
  if (parent === NO_ROW) return ErrorCode.NO_NODE;
  if (!isAllowed(tree.policy, tree.acl(parent), Permission.CREATE, context.identities))
    return ErrorCode.NO_AUTH;
  const cversion = table.cversion(parent);
  const path = isSequential(flags) ? operation.path + sequenceSuffix(cversion) : operation.path;
  if (pathProblem(path) !== undefined) return ErrorCode.BAD_ARGUMENTS;
  const exists = path === "/" || table.findChild(parent, path, path.lastIndexOf("/") + 1) !== NO_ROW;
  if (exists) return ErrorCode.NODE_EXISTS;
  if (table.isEphemeral(parent)) return ErrorCode.NO_CHILDREN_FOR_EPHEMERALS;
  if (context.enforceQuota && breaksQuota(tree, path, 1, data?.length ?? 0)) return ErrorCode.QUOTA_EXCEEDED;
  const parentCVersion = (cversion + 1) | 0;
  switch (type) {
    case OpCode.createContainer:
      return { type, path, data, acl, parentCVersion };
    case OpCode.createTTL:
      return { type, path, data, acl, parentCVersion, ttlMs: Number(operation.ttlMs) };
    case OpCode.create:
    case OpCode.create2: {
      const ephemeral = flags === CreateFlag.ephemeral || flags === CreateFlag.ephemeralSequential;
      return { type, path, data, acl, ephemeral, parentCVersion };
    }
  }
}

/** Validates a delete. */
export function prepareDelete(
  tree: ZnodeTree,
  request: { readonly path: string; readonly version: number },
  context: WriteContext,
): Txn | ErrorCode {
  const { path, version } = request;
  const slash = path.lastIndexOf("/");
  if (slash < 0 || path.includes(NUL) || isBuiltIn(path)) return ErrorCode.BAD_ARGUMENTS;
  const { table } = tree;
  const row = table.findText(path);
  const parent = row === NO_ROW ? table.findText(path.slice(0, slash)) : table.parent(row);
  if (parent === NO_ROW) return ErrorCode.NO_NODE;
  if (!isAllowed(tree.policy, tree.acl(parent), Permission.DELETE, context.identities))
    return ErrorCode.NO_AUTH;
  if (row === NO_ROW) return ErrorCode.NO_NODE;
  if (version !== -1 && version !== table.version(row)) return ErrorCode.BAD_VERSION;
  if (table.numChildren(row) > 0) return ErrorCode.NOT_EMPTY;
  return { type: OpCode.delete, path };
}

/** Validates the reaper's delete of a container or TTL znode: it must still be empty and of such a kind. */
export function prepareDeleteContainer(tree: ZnodeTree, path: string): Txn | ErrorCode {
  const { table } = tree;
  const row = table.findText(path);
  if (row === NO_ROW) return ErrorCode.NO_NODE;
  const { kind } = tree.kind(row);
  if (kind === "ephemeral") return ErrorCode.BAD_VERSION;
  if (kind === "persistent") return ErrorCode.BAD_ARGUMENTS;
  if (table.numChildren(row) > 0) return ErrorCode.NOT_EMPTY;
  return { type: OpCode.deleteContainer, path };
}

/** Validates a setData. */
export function prepareSetData(
  tree: ZnodeTree,
  request: { readonly path: string; readonly data: Uint8Array | null; readonly version: number },
  context: WriteContext,
): Txn | ErrorCode {
  const { path, data, version } = request;
  if (pathProblem(path) !== undefined) return ErrorCode.BAD_ARGUMENTS;
  const { table } = tree;
  const row = table.findText(path);
  if (row === NO_ROW) return ErrorCode.NO_NODE;
  if (!isAllowed(tree.policy, tree.acl(row), Permission.WRITE, context.identities)) return ErrorCode.NO_AUTH;
  if (context.enforceQuota && breaksQuota(tree, path, 0, (data?.length ?? 0) - table.dataLength(row))) {
    return ErrorCode.QUOTA_EXCEEDED;
  }
  const current = table.version(row);
  if (version !== -1 && version !== current) return ErrorCode.BAD_VERSION;
  return { type: OpCode.setData, path, data, version: nextVersion(current) };
}

/** Validates a setACL. */
export function prepareSetAcl(
  tree: ZnodeTree,
  request: { readonly path: string; readonly acl: readonly Acl[] | null; readonly version: number },
  context: WriteContext,
): Txn | ErrorCode {
  const { path, version } = request;
  if (pathProblem(path) !== undefined) return ErrorCode.BAD_ARGUMENTS;
  const acl = resolveAcl(tree.policy, request.acl, context.identities);
  if (acl === undefined) return ErrorCode.INVALID_ACL;
  const { table } = tree;
  const row = table.findText(path);
  if (row === NO_ROW) return ErrorCode.NO_NODE;
  if (!isAllowed(tree.policy, tree.acl(row), Permission.ADMIN, context.identities)) return ErrorCode.NO_AUTH;
  const current = table.aversion(row);
  if (version !== -1 && version !== current) return ErrorCode.BAD_VERSION;
  return { type: OpCode.setACL, path, acl, version: nextVersion(current) };
}

/** Validates a check, which only a multi may carry. */
export function prepareCheck(
  tree: ZnodeTree,
  request: { readonly path: string; readonly version: number },
  context: WriteContext,
): Txn | ErrorCode {
  const { path, version } = request;
  if (pathProblem(path) !== undefined) return ErrorCode.BAD_ARGUMENTS;
  const { table } = tree;
  const row = table.findText(path);
  if (row === NO_ROW) return ErrorCode.NO_NODE;
  if (!isAllowed(tree.policy, tree.acl(row), Permission.READ, context.identities)) return ErrorCode.NO_AUTH;
  const current = table.version(row);
  if (version !== -1 && version !== current) return ErrorCode.BAD_VERSION;
  return { type: OpCode.check, path, version: nextVersion(current) };
}

/** Versions wrap at int32 and skip -1, which requests use for "any". */
function nextVersion(version: number): number {
  const next = (version + 1) | 0;
  return next === -1 ? 0 : next;
}

function isBuiltIn(path: string): boolean {
  return path === "/" || path === "/zookeeper" || path === "/zookeeper/quota" || path === "/zookeeper/config";
}

function breaksQuota(tree: ZnodeTree, path: string, count: number, bytes: number): boolean {
  const quota = tree.quotas.covering(path);
  return quota !== undefined && exceedsQuota(quota, count, bytes);
}
