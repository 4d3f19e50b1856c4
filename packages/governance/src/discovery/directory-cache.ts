// SPDX-License-Identifier: Apache-2.0
// The last good list on disk, for a start while ZooKeeper is away. Where it is kept is the user's choice.
import type { Clock, Logger } from "@meerkat/runtime";
import { type Endpoint, type EndpointSet, endpoint } from "../endpoint.ts";

/** Holds one text. A file written beside and renamed over the old one is a good implementation. */
export interface DirectoryCache {
  /** The text saved last, or undefined. */
  load(): Promise<string | undefined>;
  save(text: string): Promise<void>;
}

interface CacheText {
  readonly format: 1;
  readonly root: string;
  readonly savedAtMs: number;
  readonly endpoints: readonly Endpoint[];
}

/** The set as text. @internal */
export function cacheText(root: string, set: EndpointSet, wallMs: number): string {
  const content: CacheText = { format: 1, root, savedAtMs: wallMs, endpoints: set.endpoints };
  return JSON.stringify(content);
}

/** The endpoints of a text that `cacheText` made for this root; undefined for any other. @internal */
export function cachedEndpoints(text: string, root: string): readonly Endpoint[] | undefined {
  try {
    const content = JSON.parse(text) as CacheText;
    if (content.format !== 1 || content.root !== root) return undefined;
    return content.endpoints.map((fields) => endpoint(fields));
  } catch {
    return undefined;
  }
}

/** Time in which changes are gathered before the cache is written. */
const SAVE_DELAY_MS = 500;

/** Writes the latest set, at most once in a while and one write at a time. @internal */
export class CacheWriter {
  readonly #cache: DirectoryCache;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #waiting: (() => string) | undefined;
  #timer: { cancel(): void } | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(cache: DirectoryCache, clock: Clock, logger: Logger) {
    this.#cache = cache;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Has `text()` written soon, unless a later call replaces it. */
  save(text: () => string): void {
    this.#waiting = text;
    this.#timer ??= this.#clock.after(SAVE_DELAY_MS, () => {
      void this.flush();
    });
  }

  /** Writes what waits; resolves when it is written. Never rejects: a lost cache is logged. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const text = this.#waiting;
    this.#waiting = undefined;
    if (text !== undefined) {
      this.#writing = this.#writing
        .then(() => this.#cache.save(text()))
        .catch((error: unknown) => {
          this.#logger.warn({ error }, "the cache of a directory could not be written");
        });
    }
    return this.#writing;
  }
}
