// SPDX-License-Identifier: Apache-2.0

/** What a server says of itself in answer to `srvr`. */
export interface ServerReport {
  readonly version: string | undefined;
  /** `standalone`, `leader`, `follower`, `observer` or `read-only`. */
  readonly mode: string | undefined;
}

/** Reads the answer to `srvr`; undefined when it is something else. */
export function parseSrvr(answer: string): ServerReport | undefined {
  const version = /^Zookeeper version: ([^,\s]+)/im.exec(answer)?.[1];
  const mode = /^Mode: (\S+)/m.exec(answer)?.[1];
  return version === undefined && mode === undefined ? undefined : { version, mode };
}
