// SPDX-License-Identifier: Apache-2.0
// What the holders of a lock, a lease or a leadership work on. It knows them by their tokens.
import type { Hold } from "@meerkat/recipes";
import type { History } from "./history.ts";

/** A holder as the resource sees it. */
interface Visitor {
  readonly who: string;
  readonly hold: Hold;
  readonly kind: "exclusive" | "shared";
  /** Its session was ended at the server: it cannot know yet that it holds nothing. */
  readonly isForced: () => boolean;
}

/**
 * Two checks. At every moment no more holders are sure (`isHeld`) than there may be; only those whose session
 * was ended behind their back may be wrong about themselves. And writes with a token lower than one that was
 * seen are refused, which must meet nobody but holders that are no longer sure, or are wrong in that way.
 */
export class FencedResource {
  readonly #history: History;
  readonly #permits: number;
  readonly #visitors = new Set<Visitor>();
  #highest = 0n;

  /** `permits` is how many exclusive holders there may be: 1, or more for a semaphore. */
  constructor(history: History, permits: number = 1) {
    this.#history = history;
    this.#permits = permits;
  }

  /** Uses the resource for some steps; `work` is one of them. Gives up when the hold does. */
  async visit(visitor: Visitor, steps: number, work: () => Promise<void>): Promise<void> {
    const { who, hold } = visitor;
    this.#history.count("grants");
    this.#history.note(`${who} granted token ${hold.token}, session 0x${hold.sessionId.toString(16)}`);
    this.#visitors.add(visitor);
    try {
      for (let step = 0; step < steps && hold.isHeld; step++) {
        this.#look();
        this.#write(visitor);
        await work();
      }
      this.#look();
    } finally {
      this.#visitors.delete(visitor);
      this.#history.note(`${who} leaves token ${hold.token}, ${hold.isHeld ? "held" : "no longer held"}`);
    }
  }

  #look(): void {
    const sure = [...this.#visitors].filter(({ hold, isForced }) => hold.isHeld && !isForced());
    const exclusive = sure.filter(({ kind }) => kind === "exclusive").length;
    const tooMany = exclusive > this.#permits || (exclusive > 0 && exclusive < sure.length);
    if (!tooMany) return;
    const who = sure.map((each) => `${each.who} (${each.kind}, token ${each.hold.token})`).join(" and ");
    this.#history.violation(`over-granted: ${who} are all sure at one moment`);
  }

  #write(visitor: Visitor): void {
    if (this.#permits > 1 || visitor.kind === "shared") return;
    const { who, hold } = visitor;
    if (hold.token >= this.#highest) {
      this.#highest = hold.token;
      return;
    }
    this.#history.count("writes refused by the fence");
    if (hold.isHeld && !visitor.isForced()) {
      this.#history.violation(`${who} is sure of token ${hold.token} after ${this.#highest} was seen`);
    }
  }
}
