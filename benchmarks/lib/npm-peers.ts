// SPDX-License-Identifier: Apache-2.0
import { createRequire } from "node:module";
import { peersDir } from "./locations.ts";

/** Rivals from npm. Pinned, since a row is only comparable with the same rival. */
export const NPM_PEERS = { "node-zookeeper-client": "1.1.3", zookeeper: "7.3.0" } as const;

/** Name of such a rival. */
export type NpmPeer = keyof typeof NPM_PEERS;

/** Where that version is installed: a folder of its own for each. */
export function npmPeerDir(name: NpmPeer): string {
  return `${peersDir}/${name}-${NPM_PEERS[name]}`;
}

/** Loads an installed rival, a CommonJS package. The caller names the part of its API it uses. */
export function npmPeerModule<T>(name: NpmPeer): T {
  return createRequire(`${npmPeerDir(name)}/package.json`)(name) as T;
}
