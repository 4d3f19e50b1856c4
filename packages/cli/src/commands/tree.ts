// SPDX-License-Identifier: Apache-2.0
import type { Stat } from "@meerkat/client";
import type { Command } from "commander";
import { addDataOptions, type ConnectionFlags, parsePositive, withClient } from "../connection.ts";
import { type Colors, writeLines } from "../io.ts";
import { printable } from "../output/data.ts";
import { writeJson } from "../output/json.ts";
import { hex } from "../output/stat-text.ts";
import type { CommandHost } from "../program.ts";
import { readTree, type TreeNode } from "../walk.ts";

interface TreeFlags extends ConnectionFlags {
  readonly depth?: number;
}

/** `meerkat tree [PATH]`: a subtree, drawn. */
export function addTreeCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("tree"))
    .description("draw a subtree with sizes and owners")
    .argument("[path]", "the root of the drawing", "/")
    .option("-d, --depth <levels>", "how deep to go (default: all the way)", parsePositive)
    .action((path: string, flags: TreeFlags, command: Command) =>
      withClient(command, io, async ({ client, call }) => {
        const root = await readTree(client, path, flags.depth ?? Number.POSITIVE_INFINITY, call);
        if (flags.json === true) writeJson(io.stdout, toJson(root));
        else writeLines(io.stdout, draw(root, io.stdout.colors));
      }),
    );
}

/** The shape of `tree --json`. */
interface JsonTree {
  readonly path: string;
  readonly stat: Stat;
  readonly children: readonly JsonTree[];
}

function toJson(node: TreeNode): JsonTree {
  return { path: node.path, stat: node.stat, children: node.children.map(toJson) };
}

function draw(root: TreeNode, colors: Colors): string[] {
  const lines = [label(root, colors)];
  const visit = (node: TreeNode, before: string): void => {
    for (const [index, child] of node.children.entries()) {
      const isLast = index === node.children.length - 1;
      lines.push(`${colors.dim(before + (isLast ? "└─ " : "├─ "))}${label(child, colors)}`);
      visit(child, before + (isLast ? "   " : "│  "));
    }
  };
  visit(root, "");
  return lines;
}

/** Name, then what is worth knowing: bytes of data, the owner of an ephemeral, children not drawn. */
function label(node: TreeNode, colors: Colors): string {
  const { stat } = node;
  const notes: string[] = [];
  if (stat.dataLength > 0) notes.push(`${stat.dataLength} B`);
  if (stat.ephemeralOwner > 0n) notes.push(`ephemeral ${hex(stat.ephemeralOwner)}`);
  if (node.children.length === 0 && stat.numChildren > 0) notes.push(`${stat.numChildren} children`);
  const name = printable(node.name);
  const painted = stat.ephemeralOwner > 0n ? colors.green(name) : colors.bold(name);
  return notes.length === 0 ? painted : `${painted}  ${colors.dim(notes.join(", "))}`;
}
