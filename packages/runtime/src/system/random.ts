// SPDX-License-Identifier: Apache-2.0
// The real randomness: V8's generator for choices, the operating system's for bytes.
import { randomBytes } from "node:crypto";
import type { Random } from "../random.ts";

/** Process randomness; `bytes` is fit for passwords and ids. */
export const systemRandom: Random = {
  float: () => Math.random(),
  bytes: (length) => new Uint8Array(randomBytes(length)),
};
