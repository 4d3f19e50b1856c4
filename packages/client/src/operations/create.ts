// SPDX-License-Identifier: Apache-2.0
import { InvalidArgumentError } from "@meerkat/runtime";
import { type Acl, CreateFlag, OpCode, Stat, writeAcls } from "@meerkat/wire";
import { type Operation, Request } from "../session/request.ts";

/**
 * How long a znode lives and how it is named. `ephemeral` ones go with the session; `sequential` ones get
 * a 10-digit counter of the parent appended; a `container` is deleted by the server some time after its
 * last child; a TTL znode when it was not changed for `ttlMs` and has no children (the server needs
 * `extendedTypesEnabled`).
 */
export type CreateMode =
  | "persistent"
  | "ephemeral"
  | "persistentSequential"
  | "ephemeralSequential"
  | "container"
  | "persistentTtl"
  | "persistentSequentialTtl";

/** What `create` gives. */
export interface CreateResult {
  /** The path made, with the sequence number. */
  readonly path: string;
  readonly stat: Stat;
}

/** True when the server appends a number to the name. */
export function isSequential(mode: CreateMode): boolean {
  return (
    mode === "persistentSequential" || mode === "ephemeralSequential" || mode === "persistentSequentialTtl"
  );
}

/** True when the znode goes with its session. */
export function isEphemeral(mode: CreateMode): boolean {
  return mode === "ephemeral" || mode === "ephemeralSequential";
}

function hasTtl(mode: CreateMode): boolean {
  return mode === "persistentTtl" || mode === "persistentSequentialTtl";
}

/** Checks that a TTL is given where one is needed, and only there. Returns it in ms, 0 for none. */
export function checkedTtlMs(mode: CreateMode, ttlMs: number | undefined): number {
  if (CreateFlag[mode] === undefined) {
    throw new InvalidArgumentError(
      "mode",
      `unknown mode ${String(mode)}; one of ${Object.keys(CreateFlag).join(", ")} is expected`,
    );
  }
  if (!hasTtl(mode)) {
    if (ttlMs === undefined) return 0;
    throw new InvalidArgumentError("ttlMs", `mode ${mode} has no ttlMs; use persistentTtl`);
  }
  if (ttlMs === undefined || !Number.isSafeInteger(ttlMs) || ttlMs <= 0) {
    throw new InvalidArgumentError("ttlMs", `mode ${mode} needs ttlMs, a whole number above 0`);
  }
  return ttlMs;
}

/** CreateRequest => path:ustring data:buffer acl:vector<ACL> flags:int. Reply: path:ustring stat:Stat */
const createOperation: Operation<CreateResult> = {
  code: OpCode.create2,
  name: "create",
  replayable: false,
  write(writer, request) {
    writer.ustring(request.path);
    writer.buffer(request.data);
    writeAcls(writer, request.acl);
    writer.int(request.number);
  },
  read: (reader, _request, chroot) => ({ path: chroot.inward(reader.text()), stat: new Stat(reader) }),
};

/** The same under another code: the only difference of a container is the server's. */
const createContainerOperation: Operation<CreateResult> = {
  ...createOperation,
  code: OpCode.createContainer,
};

/** CreateTTLRequest => CreateRequest ttl:long (ms) */
const createTtlOperation: Operation<CreateResult> = {
  ...createOperation,
  code: OpCode.createTTL,
  write(writer, request, watch) {
    createOperation.write(writer, request, watch);
    writer.longNumber(request.detail as number);
  },
};

/** Creates a znode. `ttlMs` as `checkedTtlMs` gave it. */
export function createRequest(
  path: string,
  data: Uint8Array | null,
  acl: readonly Acl[],
  mode: CreateMode,
  ttlMs: number,
): Request<CreateResult> {
  const operation =
    mode === "container" ? createContainerOperation : ttlMs > 0 ? createTtlOperation : createOperation;
  return new Request(operation, path, data, CreateFlag[mode], acl, undefined, ttlMs);
}
