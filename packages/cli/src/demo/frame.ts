// SPDX-License-Identifier: Apache-2.0
// One picture of the demo as text. Pure, so that it can be looked at in a test.
import type { Colors } from "../io.ts";
import type { Chapter, DemoModel, DemoServer } from "./model.ts";
import type { RecentCall } from "./tally.ts";

/** The room a picture has. */
export interface FrameSize {
  readonly columns: number;
  readonly colors: Colors;
}

/** Widest picture: beyond it bars only get longer. */
const COLUMNS_MAX = 100;
/** Columns of the lines besides the bar of a server's calls. */
const SERVER_COLUMNS = 56;

/** Draws the whole picture; no line is wider than `columns` (but at least 64). */
export function drawFrame(model: DemoModel, size: FrameSize): string {
  const columns = Math.max(64, Math.min(size.columns - 1, COLUMNS_MAX));
  const { colors } = size;
  return [
    "",
    ...drawHead(model, columns, colors),
    "",
    ...model.chapters.map((chapter) => drawChapter(chapter, model, columns, colors)),
    "",
    `  ${colors.bold("Live list")} ${colors.dim(`${model.listPath} in ${model.zookeeper}`)}${model.isListStale ? colors.yellow("  (last known)") : ""}`,
    ...model.servers.map((server) => drawServer(server, model, columns, colors)),
    "",
    `  ${colors.bold("Who answers")}  ${drawRecent(model, columns - 17, colors)}`,
    `  ${colors.bold("Last call")}    ${model.tally.lastResult.slice(0, columns - 17)}`,
    drawCounts(model, colors),
    "",
  ].join("\n");
}

function drawHead(model: DemoModel, columns: number, colors: Colors): string[] {
  const percent = `${Math.round(model.progress * 100)} %`.padStart(5);
  const seconds = `${(model.elapsedMs / 1000).toFixed(0)} s`.padStart(5);
  const title = "  Meerkat  ";
  const barColumns = columns - title.length - percent.length - seconds.length - 2;
  const filled = Math.round(model.progress * barColumns);
  const bar = colors.green("━".repeat(filled)) + colors.dim("─".repeat(barColumns - filled));
  return [`${colors.bold(title)}${bar} ${percent} ${colors.dim(seconds)}`];
}

const CHAPTER_SIGNS = { waiting: "○", running: "●", done: "✔", failed: "✘" } as const;

function drawChapter(chapter: Chapter, model: DemoModel, columns: number, colors: Colors): string {
  const paint = { waiting: colors.dim, running: colors.cyan, done: colors.green, failed: colors.red };
  const sign = paint[chapter.status](CHAPTER_SIGNS[chapter.status]);
  const title = chapter.title.padEnd(34);
  const runningS = ((model.clock.nowMs() - chapter.startedMs) / 1000).toFixed(1);
  const text = chapter.status === "running" ? `${runningS} s …` : chapter.detail;
  const detail = text.slice(0, Math.max(0, columns - 40));
  if (chapter.status === "waiting") return `  ${sign} ${colors.dim(title)}`;
  return `  ${sign} ${chapter.status === "running" ? colors.bold(title) : title}  ${colors.dim(detail)}`;
}

/** The colour of a server: the same in every part of the picture. */
export function serverColor(server: Pick<DemoServer, "number">, colors: Colors): (text: string) => string {
  const palette = [colors.cyan, colors.magenta, colors.yellow];
  return palette[(server.number - 1) % palette.length] ?? colors.white;
}

function drawServer(server: DemoServer, model: DemoModel, columns: number, colors: Colors): string {
  const paint = serverColor(server, colors);
  const isListed = server.znode !== undefined;
  const calls = model.tally.answeredBy(server.key);
  const most = Math.max(1, ...model.servers.map(({ key }) => model.tally.answeredBy(key)));
  const bar = paint("█".repeat(Math.round((calls / most) * Math.max(4, columns - SERVER_COLUMNS))));
  const sign = {
    waiting: colors.dim("·"),
    starting: colors.dim("…"),
    up: paint("●"),
    killed: colors.red("✘"),
  };
  const listed = (server.znode ?? serverNote(server)).padEnd(18);
  const isGhost = server.status === "killed" && isListed;
  const address =
    server.status === "killed" ? colors.dim(server.key.padEnd(17)) : paint(server.key.padEnd(17));
  return `  ${sign[server.status]} ${address} ${isListed ? listed : colors.dim(listed)} ${String(calls).padStart(6)} calls  ${isGhost ? colors.red("dead, still listed") : bar}`;
}

function serverNote(server: DemoServer): string {
  return { waiting: "not started", starting: "starting", up: "not in the list", killed: "out of the list" }[
    server.status
  ];
}

/** One digit a call, the number of the server that answered; an x for a failed call. */
function drawRecent(model: DemoModel, count: number, colors: Colors): string {
  return model.tally.recent
    .slice(-count)
    .map((call: RecentCall) => {
      const server = model.servers.find(({ key }) => key === call);
      return server === undefined ? colors.red("x") : serverColor(server, colors)(String(server.number));
    })
    .join("");
}

function drawCounts(model: DemoModel, colors: Colors): string {
  const { calls, failures, failovers } = model.tally;
  const failed = failures === 0 ? colors.green("0 failed") : colors.red(`${failures} failed`);
  return `  ${colors.bold("Calls")}        ${calls}, ${failed}, ${failovers} made good by another server`;
}
