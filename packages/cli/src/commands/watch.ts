// SPDX-License-Identifier: Apache-2.0
import type { ClientState, WatchEvent } from "@meerkat/client";
import { systemRuntime } from "@meerkat/runtime";
import type { Command } from "commander";
import {
  addDataOptions,
  type Connected,
  type ConnectionFlags,
  parsePositive,
  withClient,
} from "../connection.ts";
import { type Io, writeLine } from "../io.ts";
import { printable } from "../output/data.ts";
import { writeJsonLine } from "../output/json.ts";
import { isoTime } from "../output/stat-text.ts";
import type { CommandHost } from "../program.ts";

interface WatchFlags extends ConnectionFlags {
  readonly recursive?: boolean;
  readonly count?: number;
}

/** `meerkat watch PATH`: prints what changes, as it changes, until interrupted. */
export function addWatchCommand(program: Command, { io }: CommandHost): void {
  addDataOptions(program.command("watch"))
    .description("print the changes of a znode until interrupted")
    .argument("<path>", "the znode; it may not exist yet")
    .option("-r, --recursive", "and of everything below it")
    .option("-n, --count <events>", "end after so many", parsePositive)
    .action((path: string, flags: WatchFlags, command: Command) =>
      withClient(command, io, (connected) => follow(connected, path, flags, io)),
    );
}

/** What a lost connection means for someone who watches. */
const STATE_NOTES: Partial<Record<ClientState, string>> = {
  suspended: "connection lost, looking for a server",
  connected: "connected again",
  readOnly: "connected to a server without quorum: it shows old data",
  expired: "session expired, starting a new one",
};

async function follow({ client, call }: Connected, path: string, flags: WatchFlags, io: Io): Promise<void> {
  const stopNotes = client.onState((state) => {
    const note = STATE_NOTES[state];
    if (note !== undefined) writeLine(io.stderr, io.stderr.colors.yellow(note));
  });
  await using watch = await client.addWatch(path, {
    ...call,
    recursive: flags.recursive === true,
    signal: io.signal,
  });
  writeLine(io.stderr, io.stderr.colors.dim(`watching ${path} (Ctrl-C ends)`));
  let countLeft = flags.count ?? Number.POSITIVE_INFINITY;
  try {
    for await (const event of watch) {
      print(event, flags.json === true, io);
      countLeft--;
      if (countLeft === 0) return;
    }
    if (!io.signal.aborted) throw new Error(`the watch ended: ${client.explain()}`);
  } catch (error) {
    // The end of a watch by Ctrl-C is its normal end.
    if (!io.signal.aborted) throw error;
  } finally {
    stopNotes();
  }
}

function print(event: WatchEvent, asJson: boolean, io: Io): void {
  const time = isoTime(systemRuntime.clock.wallMs());
  if (asJson) {
    writeJsonLine(io.stdout, { time, type: event.type, path: event.path });
    return;
  }
  const { colors } = io.stdout;
  const paint = {
    created: colors.green,
    deleted: colors.red,
    resync: colors.yellow,
    dataChanged: colors.cyan,
  };
  const painted = event.type === "childrenChanged" ? colors.blue : paint[event.type];
  writeLine(io.stdout, `${colors.dim(time)}  ${painted(event.type.padEnd(15))}  ${printable(event.path)}`);
}
