// SPDX-License-Identifier: Apache-2.0
import { createRequire } from "node:module";
import { peersDir } from "../lib/locations.ts";

/** Loads a CommonJS package that `lib/peers.ts` installed. The caller names the part of its API it uses. */
export function peerModule<T>(name: string): T {
  return createRequire(`${peersDir}/package.json`)(name) as T;
}
