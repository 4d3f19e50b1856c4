// SPDX-License-Identifier: Apache-2.0
// What happened in a chaos run, and what must not have happened.
import { isZooKeeperError } from "@meerkat/client";
import { isRecipeError } from "@meerkat/recipes";
import { isCodedError } from "@meerkat/runtime";

/** Codes that faults explain. */
const EXPECTED_ZOOKEEPER = new Set([
  "CONNECTION_LOSS",
  "SESSION_EXPIRED",
  "SESSION_MOVED",
  "OPERATION_TIMEOUT",
  "TIMEOUT",
  "ABORTED",
]);
const EXPECTED_RECIPE = new Set(["LOST", "TIMEOUT", "ABORTED", "RELEASED"]);
const EVENTS_MAX = 400;
/** A run that goes wrong goes wrong often. */
const VIOLATIONS_MAX = 50;

/** Counts and violations of one workload. */
export class History {
  readonly name: string;
  /** How often things happened, by what they are. */
  readonly counts = new Map<string, number>();
  /** What must not be; a good run has none. */
  readonly violations: string[] = [];
  /** The last events, for the report of a violation. */
  readonly events: string[] = [];
  readonly #startMs: number;

  constructor(name: string, startMs: number) {
    this.name = name;
    this.#startMs = startMs;
  }

  count(what: string, by: number = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  total(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  note(event: string): void {
    if (this.violations.length > 0) return;
    this.events.push(`${((performance.now() - this.#startMs) / 1000).toFixed(3)} ${event}`);
    if (this.events.length > EVENTS_MAX) this.events.shift();
  }

  violation(message: string): void {
    if (this.violations.length >= VIOLATIONS_MAX) return;
    // What led to the first one is worth most: no later event pushes it out.
    if (this.violations.length === 0) this.note(`VIOLATION ${message.split("\n")[0]}`);
    this.violations.push(message);
  }

  /**
   * A call failed. Faults explain lost connections and sessions, a crash of the client explains `CLOSED`;
   * everything else is a violation.
   */
  failure(who: string, error: unknown, crashed: boolean): void {
    const code = isCodedError(error) ? String(error.code) : "no code";
    this.note(`${who} failed with ${code}${isCodedError(error) ? ` (effect ${error.effect})` : ""}`);
    this.count(`failed with ${code}`);
    const explained =
      (isZooKeeperError(error) && (EXPECTED_ZOOKEEPER.has(code) || (crashed && code === "CLOSED"))) ||
      (isRecipeError(error) && (EXPECTED_RECIPE.has(code) || (crashed && code === "CLOSED")));
    if (!explained)
      this.violation(`${who}: unexpected ${error instanceof Error ? error.stack : String(error)}`);
  }
}
