// SPDX-License-Identifier: Apache-2.0
// What the demo shows: the chapters of its story, the servers, and what happened. Views only read it.
import type { Clock } from "@meerkat/runtime";
import type { Tally } from "./tally.ts";

/** Where a chapter stands. */
export type ChapterStatus = "waiting" | "running" | "done" | "failed";

/** One chapter of the story. */
export interface Chapter {
  readonly title: string;
  /** About how long it takes: its share of the progress bar. */
  readonly expectedMs: number;
  status: ChapterStatus;
  /** What came of it, shown beside the title. */
  detail: string;
  startedMs: number;
}

/** One server process of the story. */
export interface DemoServer {
  /** `HOST:PORT`, as the registry has it. */
  readonly key: string;
  readonly port: number;
  /** 1, 2, 3: its place in the story, which chooses its colour. */
  readonly number: number;
  status: "waiting" | "starting" | "up" | "killed";
  /** Name of its znode while it is in the live list. */
  znode: string | undefined;
}

/** The state of the demo, with the clock it is measured by. */
export class DemoModel {
  readonly clock: Clock;
  readonly tally: Tally;
  readonly startedMs: number;
  readonly chapters: readonly Chapter[];
  readonly servers: readonly DemoServer[];
  /** Which ZooKeeper, for people. */
  zookeeper = "";
  /** Path of the live list as a user of that ZooKeeper would look it up. */
  listPath = "/rpc";
  /** Whether the list is known to be current. */
  isListStale = false;
  readonly #onNews: (text: string) => void;

  constructor(options: {
    readonly clock: Clock;
    readonly tally: Tally;
    readonly chapters: readonly { readonly title: string; readonly expectedMs: number }[];
    readonly servers: readonly { readonly key: string; readonly port: number }[];
    /** Told of every event worth a line. */
    readonly onNews: (text: string) => void;
  }) {
    this.clock = options.clock;
    this.tally = options.tally;
    this.startedMs = options.clock.nowMs();
    this.chapters = options.chapters.map((chapter) => ({
      ...chapter,
      status: "waiting",
      detail: "",
      startedMs: 0,
    }));
    this.servers = options.servers.map((server, index) => ({
      ...server,
      number: index + 1,
      status: "waiting",
      znode: undefined,
    }));
    this.#onNews = options.onNews;
  }

  /** Milliseconds since the demo began. */
  get elapsedMs(): number {
    return this.clock.nowMs() - this.startedMs;
  }

  /** Something happened that is worth a line. */
  news(text: string): void {
    this.#onNews(text);
  }

  /** Runs one chapter: `task` returns what came of it. */
  async chapter(index: number, task: () => Promise<string>): Promise<void> {
    const chapter = this.chapters[index];
    if (chapter === undefined) throw new RangeError(`there is no chapter ${index}`);
    chapter.status = "running";
    chapter.startedMs = this.clock.nowMs();
    this.news(`${chapter.title} …`);
    try {
      chapter.detail = await task();
      chapter.status = "done";
      this.news(`${chapter.title}: ${chapter.detail}`);
    } catch (error) {
      chapter.status = "failed";
      throw error;
    }
  }

  /** How much of the story is told, 0 to 1. */
  get progress(): number {
    let expected = 0;
    let told = 0;
    for (const chapter of this.chapters) {
      expected += chapter.expectedMs;
      if (chapter.status === "done") told += chapter.expectedMs;
      else if (chapter.status === "running") {
        const runningMs = this.clock.nowMs() - chapter.startedMs;
        told += Math.min(runningMs, chapter.expectedMs * 0.95);
      }
    }
    return expected === 0 ? 0 : told / expected;
  }
}
