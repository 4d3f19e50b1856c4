// SPDX-License-Identifier: Apache-2.0
// Several reads in one request; each succeeds or fails alone.
import { InvalidArgumentError } from "@meerkat/runtime";
import {
  type MultiOperation,
  MultiRequest,
  MultiResponse,
  type MultiResult,
  OpCode,
  type Stat,
} from "@meerkat/wire";
import type { Chroot } from "../chroot.ts";
import { serverError, ZooKeeperError } from "../errors.ts";
import { type Operation, Request } from "../session/request.ts";
import { pathFault } from "./arguments.ts";

/** One read. */
export type ReadOperation =
  | { readonly op: "get"; readonly path: string }
  | { readonly op: "children"; readonly path: string };

/** What one read gave: its value, or the error that it would have rejected with alone. */
export type ReadResult<T extends ReadOperation> =
  | (T extends { readonly op: "get" }
      ? { readonly ok: true; readonly data: Buffer; readonly stat: Stat }
      : { readonly ok: true; readonly children: readonly string[] })
  | { readonly ok: false; readonly error: ZooKeeperError };

/** Results in the order of the reads. */
export type ReadResults<T extends readonly ReadOperation[]> = { -readonly [K in keyof T]: ReadResult<T[K]> };

interface MultiReadDetail {
  readonly given: readonly ReadOperation[];
  readonly operations: readonly MultiOperation[];
}

const multiReadOperation: Operation<unknown[]> = {
  code: OpCode.multiRead,
  name: "multiRead",
  replayable: true,
  write(writer, request) {
    MultiRequest.write(writer, request.detail as MultiReadDetail);
  },
  read(reader, request) {
    const { given } = request.detail as MultiReadDetail;
    return MultiResponse.read(reader).results.map((result, index) => readResult(result, given[index]));
  },
};

function readResult(result: MultiResult, given: ReadOperation | undefined): unknown {
  const path = given?.path ?? "/";
  if (result.type === OpCode.error) {
    return { ok: false, error: serverError(result.err, given?.op ?? "multiRead", path) };
  }
  if (result.type === OpCode.getData) {
    return { ok: true, data: Buffer.from(result.data ?? []), stat: result.stat };
  }
  if (result.type === OpCode.getChildren) return { ok: true, children: result.children };
  throw new ZooKeeperError("PROTOCOL_ERROR", `multiRead: a result of type ${result.type} (PROTOCOL_ERROR)`);
}

/** Several reads. Throws `InvalidArgumentError` on a wrong path or operation. */
export function multiReadRequest(given: readonly ReadOperation[], chroot: Chroot): Request<unknown[]> {
  const operations = given.map((read): MultiOperation => {
    if (read.op !== "get" && read.op !== "children") {
      throw new InvalidArgumentError("op", "multiRead takes get and children");
    }
    const fault = pathFault(read.op, read.path);
    if (fault !== undefined) throw fault;
    const type = read.op === "get" ? OpCode.getData : OpCode.getChildren;
    return { type, path: chroot.outward(read.path), watch: false };
  });
  const detail: MultiReadDetail = { given, operations };
  return new Request(multiReadOperation, chroot.outward("/"), null, 0, null, undefined, detail);
}
