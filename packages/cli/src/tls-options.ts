// SPDX-License-Identifier: Apache-2.0
// TLS on the command line: flags that name PEM files.
import { readFileSync } from "node:fs";
import type { TlsClientOptions } from "@meerkat/runtime";
import type { Command } from "commander";
import type { Environment } from "./io.ts";
import { UsageError } from "./usage-error.ts";

/** The flags as commander hands them over. */
export interface TlsFlags {
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsInsecure?: boolean;
}

/** Adds the flags of `TlsFlags`. */
export function addTlsOptions(command: Command): Command {
  return command
    .option("--tls", "connect with TLS; implied by the other --tls flags")
    .option("--tls-ca <file>", "authorities to trust instead of the system's")
    .option("--tls-cert <file>", "our certificate chain")
    .option("--tls-key <file>", "our private key")
    .option("--tls-insecure", "accept any certificate; for tests only");
}

/** What the flags ask for; undefined for plain TCP. Throws when a file cannot be read. */
export function resolveTls(flags: TlsFlags, env: Environment): TlsClientOptions | undefined {
  const { tls, tlsCa, tlsCert, tlsKey, tlsInsecure } = flags;
  if ([tls, tlsCa, tlsCert, tlsKey, tlsInsecure].every((flag) => flag === undefined)) return undefined;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError("--tls-cert and --tls-key go together");
  }
  const read = (file: string | undefined): Buffer | undefined =>
    file === undefined ? undefined : readFileSync(file);
  return {
    ca: read(tlsCa),
    cert: read(tlsCert),
    key: read(tlsKey),
    passphrase: env.MEERKAT_TLS_PASSPHRASE,
    insecure: tlsInsecure,
  };
}
