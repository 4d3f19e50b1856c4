// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { formatAcl, parseAcl, permissionLetters } from "../acl-text.ts";
import { addDataOptions, type ConnectionFlags, parseVersion, withClient } from "../connection.ts";
import { writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import type { CommandHost } from "../program.ts";

interface AclFlags extends ConnectionFlags {
  readonly set?: string;
  readonly version?: number;
}

/** `meerkat acl PATH`: shows or, with `--set`, replaces who may do what with a znode. */
export function addAclCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("acl"))
    .description("print or replace the access control list of a znode")
    .argument("<path>", "the znode")
    .option("--set <acl>", "replace it: open, read-only, creator or SCHEME:ID:PERMS[,…]")
    .option("-v, --version <number>", "with --set, only if this is the version of the ACL", parseVersion)
    .action((path: string, flags: AclFlags, command: Command) => {
      const wanted = flags.set === undefined ? undefined : parseAcl(flags.set);
      return withClient(command, io, async ({ client, call }) => {
        if (wanted !== undefined) await client.setAcl(path, wanted, { ...call, version: flags.version });
        const { acl, stat } = await client.getAcl(path, call);
        if (flags.json !== true) {
          for (const entry of acl) writeLine(io.stdout, formatAcl(entry));
          return;
        }
        const entries = acl.map(({ scheme, id, permissions }) => ({
          scheme,
          id,
          permissions: permissionLetters(permissions),
        }));
        writeJson(io.stdout, { path, acl: entries, version: stat.aversion });
      });
    });
}
