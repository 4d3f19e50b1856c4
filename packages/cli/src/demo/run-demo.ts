// SPDX-License-Identifier: Apache-2.0
import { writeFile } from "node:fs/promises";
import { type Runtime, systemRuntime } from "@meerkat/runtime";
import { type Io, writeLine } from "../io.ts";
import { DemoModel } from "./model.ts";
import { choosePorts, DEMO_HOST } from "./ports.ts";
import { Stage } from "./stage.ts";
import { storyChapters, tellStory } from "./story.ts";
import { formatSummary } from "./summary-text.ts";
import { Tally } from "./tally.ts";
import { createView } from "./view.ts";

/** The seed's ports. */
const PORTS = [8001, 8002, 8003] as const;

/** Longest the story may take; it takes about 12 seconds. */
const DEMO_TIMEOUT_MS = 45_000;

/** What the user chose. */
export interface DemoOptions {
  /** An existing ZooKeeper; the embedded server when left out. */
  readonly zookeeper?: string | undefined;
  /** File for the summary; `-` is stdout, and the view then goes to stderr. */
  readonly json?: string | undefined;
}

/**
 * Runs the demo from the first process to the last. Resolves when every call succeeded; rejects when one
 * failed, when the story could not be told to its end, or when interrupted. Nothing it started is left.
 */
export async function runDemo(options: DemoOptions, io: Io): Promise<void> {
  const runtime: Runtime = systemRuntime;
  const output = options.json === "-" ? io.stderr : io.stdout;
  const view = createView(output, io.env, runtime.clock);
  const ports = await choosePorts(runtime.net, PORTS);
  const tally = new Tally();
  const model = new DemoModel({
    clock: runtime.clock,
    tally,
    chapters: storyChapters(ports),
    servers: ports.map((port) => ({ key: `${DEMO_HOST}:${port}`, port })),
    onNews: (text) => view.news(text),
  });
  for (const server of model.servers) tally.addServer(server.key);
  const moved = ports.filter((port, index) => port !== PORTS[index]);
  if (moved.length > 0)
    model.news(`some of the ports ${PORTS.join(", ")} are taken: using ${moved.join(", ")}`);
  const controller = new AbortController();
  const deadline = runtime.clock.after(DEMO_TIMEOUT_MS, () =>
    controller.abort(new Error(`the demo did not come to its end within ${DEMO_TIMEOUT_MS / 1000} s`)),
  );
  const signal = AbortSignal.any([io.signal, controller.signal]);
  view.show(model);
  try {
    await using stage = new Stage(runtime, signal);
    await tellStory(stage, model, { zookeeper: options.zookeeper, runtime, signal });
  } finally {
    deadline.cancel();
    view.close();
    // Also of a story that broke off: what was counted until then helps to see why.
    if (tally.calls > 0) writeLine(output, formatSummary(model, output.colors));
    if (options.json !== undefined) await writeSummary(options.json, tally, io);
  }
  if (tally.failures > 0) {
    throw new Error(`${tally.failures} of ${tally.calls} calls failed, the first one: ${tally.firstFailure}`);
  }
}

async function writeSummary(file: string, tally: Tally, io: Io): Promise<void> {
  const text = `${JSON.stringify(tally.summary(), undefined, 2)}\n`;
  if (file === "-") io.stdout.stream.write(text);
  else await writeFile(file, text);
}
