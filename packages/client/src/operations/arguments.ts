// SPDX-License-Identifier: Apache-2.0
// Checks and conversions of what callers pass in.
import { InvalidArgumentError } from "@meerkat/runtime";
import { pathProblem } from "@meerkat/wire";

/** Data of a znode as callers give it. Text becomes UTF-8; null is a znode with null data. */
export type Data = Uint8Array | string | null;

const EMPTY: Buffer = Buffer.alloc(0);

/** The bytes to send; undefined (no data given) is empty data. */
export function toBytes(data: Data | undefined): Uint8Array | null {
  if (typeof data === "string") return Buffer.from(data, "utf8");
  if (data === null || data instanceof Uint8Array) return data;
  if (data === undefined) return EMPTY;
  throw new InvalidArgumentError(
    "data",
    `bytes, text or null are expected, got ${typeof data}; see the codecs for values (codec: json)`,
  );
}

/** What is wrong with a path, or undefined. A sequential name may be empty: `/a/` becomes `/a/0000000001`. */
export function pathFault(
  operation: string,
  path: string,
  sequential = false,
): InvalidArgumentError | undefined {
  if (typeof path !== "string") {
    return new InvalidArgumentError("path", `${operation}: the path must be a string, got ${typeof path}`);
  }
  const problem = pathProblem(sequential ? `${path}1` : path);
  return problem === undefined
    ? undefined
    : new InvalidArgumentError("path", `${operation} ${JSON.stringify(path)}: the path ${problem}`);
}
