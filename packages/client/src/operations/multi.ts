// SPDX-License-Identifier: Apache-2.0
// Transactions: several operations that the server applies together or not at all.
import { InvalidArgumentError } from "@meerkat/runtime";
import {
  type Acl,
  CreateFlag,
  ErrorCode,
  type MultiOperation,
  MultiRequest,
  MultiResponse,
  type MultiResult,
  OpCode,
  type Stat,
} from "@meerkat/wire";
import type { Chroot } from "../chroot.ts";
import { resultName, serverError, ZooKeeperError } from "../errors.ts";
import { type Operation, Request } from "../session/request.ts";
import { type Data, pathFault, toBytes } from "./arguments.ts";
import { type CreateMode, checkedTtlMs, isSequential } from "./create.ts";

/** One operation of a transaction. */
export type TransactionOperation =
  | {
      readonly op: "create";
      readonly path: string;
      readonly data?: Data | undefined;
      readonly mode?: CreateMode | undefined;
      readonly acl?: readonly Acl[] | undefined;
      readonly ttlMs?: number | undefined;
    }
  | { readonly op: "set"; readonly path: string; readonly data: Data; readonly version?: number | undefined }
  | { readonly op: "delete"; readonly path: string; readonly version?: number | undefined }
  /** Fails the transaction unless the znode exists (and has this version). */
  | { readonly op: "check"; readonly path: string; readonly version?: number | undefined };

/** Result of a create in a transaction. */
export interface TransactionCreateResult {
  /** The path made, with the sequence number. */
  readonly path: string;
  /** Servers before 3.9 give none for plain znodes. */
  readonly stat: Stat | undefined;
}

/** Result of a set in a transaction. */
export interface TransactionSetResult {
  readonly stat: Stat;
}

/** The result of one operation, by its `op`; delete and check give undefined. */
export type TransactionResult<T extends TransactionOperation> = T extends { readonly op: "create" }
  ? TransactionCreateResult
  : T extends { readonly op: "set" }
    ? TransactionSetResult
    : undefined;

/** Results in the order of the operations. */
export type TransactionResults<T extends readonly TransactionOperation[]> = {
  -readonly [K in keyof T]: TransactionResult<T[K]>;
};

/** The caller's operations, kept to name the one that fails. */
interface MultiDetail {
  readonly given: readonly TransactionOperation[];
  readonly operations: readonly MultiOperation[];
}

/** MultiRequest. A failed transaction comes with header error 0 and an error in every result. */
const multiOperation: Operation<unknown[]> = {
  code: OpCode.multi,
  name: "multi",
  replayable: false,
  write(writer, request) {
    MultiRequest.write(writer, request.detail as MultiDetail);
  },
  read(reader, request, chroot) {
    const { results } = MultiResponse.read(reader);
    const { given } = request.detail as MultiDetail;
    const failure = transactionError(results, given);
    if (failure !== undefined) throw failure;
    return results.map((result) => transactionResult(result, chroot));
  },
};

function transactionResult(result: MultiResult, chroot: Chroot): unknown {
  switch (result.type) {
    case OpCode.create:
      return { path: chroot.inward(result.path), stat: undefined };
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
      return { path: chroot.inward(result.path), stat: result.stat };
    case OpCode.setData:
      return { stat: result.stat };
    case OpCode.delete:
    case OpCode.check:
    case OpCode.getData:
    case OpCode.getChildren:
    case OpCode.error:
      return undefined;
  }
}

/** The culprit's error: the first that is neither OK (rolled back) nor RUNTIME_INCONSISTENCY (not tried). */
function transactionError(
  results: readonly MultiResult[],
  given: readonly TransactionOperation[],
): ZooKeeperError | undefined {
  const codes = results.map((result) => (result.type === OpCode.error ? result.err : ErrorCode.OK));
  if (!results.some((result) => result.type === OpCode.error)) return undefined;
  const found = codes.findIndex((err) => err !== ErrorCode.OK && err !== ErrorCode.RUNTIME_INCONSISTENCY);
  const index = found < 0 ? codes.findIndex((err) => err !== ErrorCode.OK) : found;
  const operation = given[index];
  const cause = serverError(
    codes[index] ?? ErrorCode.SYSTEM_ERROR,
    operation?.op ?? "multi",
    operation?.path ?? "/",
  );
  const message = `transaction, operation ${index} of ${given.length}: ${cause.message}; nothing was applied`;
  return new ZooKeeperError(cause.code, message, {
    context: { ...cause.context, operation: "multi", index, results: codes.map(resultName) },
  });
}

function encoded(
  operation: TransactionOperation,
  chroot: Chroot,
  defaultAcl: readonly Acl[],
): MultiOperation {
  const sequential = operation.op === "create" && isSequential(operation.mode ?? "persistent");
  const fault = pathFault(operation.op, operation.path, sequential);
  if (fault !== undefined) throw fault;
  const path = chroot.outward(operation.path);
  switch (operation.op) {
    case "create": {
      const mode = operation.mode ?? "persistent";
      const ttlMs = checkedTtlMs(mode, operation.ttlMs);
      const create = {
        path,
        data: toBytes(operation.data),
        acl: operation.acl ?? defaultAcl,
        flags: CreateFlag[mode],
      };
      if (mode === "container") return { type: OpCode.createContainer, ...create };
      if (ttlMs > 0) return { type: OpCode.createTTL, ...create, ttlMs: BigInt(ttlMs) };
      return { type: OpCode.create2, ...create };
    }
    case "set":
      return {
        type: OpCode.setData,
        path,
        data: toBytes(operation.data),
        version: operation.version ?? -1,
      };
    case "delete":
      return { type: OpCode.delete, path, version: operation.version ?? -1 };
    case "check":
      return { type: OpCode.check, path, version: operation.version ?? -1 };
    default:
      throw new InvalidArgumentError("op", "one of create, set, delete, check is expected");
  }
}

/** A transaction. Throws `InvalidArgumentError` on a wrong path or option. */
export function multiRequest(
  given: readonly TransactionOperation[],
  chroot: Chroot,
  defaultAcl: readonly Acl[],
): Request<unknown[]> {
  const operations = given.map((operation) => encoded(operation, chroot, defaultAcl));
  const detail: MultiDetail = { given, operations };
  return new Request(multiOperation, chroot.outward("/"), null, 0, null, undefined, detail);
}
