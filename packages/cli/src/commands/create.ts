// SPDX-License-Identifier: Apache-2.0
import { nodeName, type ZooKeeperClient } from "@meerkat/client";
import { type Command, InvalidArgumentError } from "commander";
import { parseAcl } from "../acl-text.ts";
import {
  addDataOptions,
  type Connected,
  type ConnectionFlags,
  parsePositive,
  withClient,
} from "../connection.ts";
import { type DataFlags, readData } from "../data-argument.ts";
import { type Io, writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import type { CommandHost } from "../program.ts";
import { UsageError } from "../usage-error.ts";

type Mode = NonNullable<NonNullable<Parameters<ZooKeeperClient["create"]>[2]>["mode"]>;

const MODES: readonly Mode[] = [
  "persistent",
  "persistentSequential",
  "ephemeral",
  "ephemeralSequential",
  "container",
  "persistentTtl",
  "persistentSequentialTtl",
];

interface CreateFlags extends ConnectionFlags, DataFlags {
  readonly mode?: Mode;
  readonly ephemeral?: boolean;
  readonly sequential?: boolean;
  readonly container?: boolean;
  readonly ttl?: number;
  readonly parents?: boolean;
  readonly acl?: string;
}

/** `meerkat create PATH [DATA]`: makes a znode and prints its path. */
export function addCreateCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("create"))
    .description("make a znode and print its path")
    .argument("<path>", "the path; with --sequential the part before the number")
    .argument("[data]", "its data as text; - reads it from stdin")
    .option("-f, --file <file>", "take the data from a file; - is stdin")
    .option("-e, --ephemeral", "lives as long as this command: it waits for Ctrl-C")
    .option("-s, --sequential", "add a ten-digit number to the name")
    .option("-c, --container", "the server removes it once its last child is gone")
    .option("--ttl <ms>", "the server removes it when unchanged and childless for so long", parsePositive)
    .option("--mode <mode>", `instead of the four above: ${MODES.join(", ")}`, parseMode)
    .option("-p, --parents", "make missing parents first")
    .option("--acl <acl>", "who may do what: open, read-only, creator or SCHEME:ID:PERMS[,…]", "open")
    .action(async (path: string, text: string | undefined, flags: CreateFlags, command: Command) => {
      const mode = modeOf(flags);
      const acl = parseAcl(flags.acl ?? "open");
      const data = await readData(text, flags, io);
      await withClient(command, io, async (connected) => {
        const created = await connected.client.create(path, data ?? null, {
          ...connected.call,
          mode,
          acl,
          ttlMs: flags.ttl,
          createParents: flags.parents,
        });
        if (flags.json === true) writeJson(io.stdout, { path: created.path, stat: created.stat });
        else writeLine(io.stdout, created.path);
        if (mode.startsWith("ephemeral")) await holdSession(connected, created.path, io);
      });
    });
}

function parseMode(text: string): Mode {
  const mode = MODES.find((known) => known.toLowerCase() === text.replaceAll(/[-_]/g, "").toLowerCase());
  if (mode === undefined) throw new InvalidArgumentError(`Modes are ${MODES.join(", ")}.`);
  return mode;
}

/** Which of the server's create modes the flags ask for. Exported for its test. */
export function modeOf(
  flags: Pick<CreateFlags, "mode" | "ephemeral" | "sequential" | "container" | "ttl">,
): Mode {
  const { mode, ephemeral = false, sequential = false, container = false, ttl } = flags;
  if (mode !== undefined) {
    if (ephemeral || sequential || container) {
      throw new UsageError("--mode already says it all: leave out -e, -s and -c");
    }
    if (mode.endsWith("Ttl") !== (ttl !== undefined)) {
      throw new UsageError(`--mode ${mode} ${ttl === undefined ? "needs" : "does not go with"} --ttl`);
    }
    return mode;
  }
  const kinds = [ephemeral && "--ephemeral", container && "--container", ttl !== undefined && "--ttl"].filter(
    (kind) => kind !== false,
  );
  if (kinds.length > 1) throw new UsageError(`${kinds.join(" and ")} do not go together`);
  if (container) {
    if (sequential) throw new UsageError("--container and --sequential do not go together");
    return "container";
  }
  if (ttl !== undefined) return sequential ? "persistentSequentialTtl" : "persistentTtl";
  if (ephemeral) return sequential ? "ephemeralSequential" : "ephemeral";
  return sequential ? "persistentSequential" : "persistent";
}

/** An ephemeral znode ends with its session, so the session is kept until somebody ends the command. */
async function holdSession({ client }: Connected, path: string, io: Io): Promise<void> {
  writeLine(io.stderr, `${nodeName(path)} lives until this command ends (Ctrl-C)`);
  const { lost } = client.session;
  await new Promise<void>((resolve, reject) => {
    const onLost = (): void => reject(new Error(`the session was lost, and ${path} with it`));
    io.signal.addEventListener("abort", () => resolve(), { once: true });
    lost.addEventListener("abort", onLost, { once: true });
    if (io.signal.aborted) resolve();
    if (lost.aborted) onLost();
  });
}
