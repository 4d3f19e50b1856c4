// SPDX-License-Identifier: Apache-2.0
// Which endpoints are down, by what calls meet: out at the first refused or lost connection, or after
// several failures in a row (a server that hangs still accepts connections); back after a probe. For lost
// connections a probe may be a function of the owner, run in the background, so that no user's call meets
// a dead endpoint again. Otherwise, and always after failures, it is a single call let through in its time.
import { Backoff, type Clock, type Random, type Timer } from "@meerkat/runtime";
import { type EndpointPool, NO_SLOT } from "../balancing/endpoint-pool.ts";
import type { DirectoryChange, Endpoint } from "../endpoint.ts";

/** Finds out whether an endpoint answers again: resolves if so, rejects if not. */
export type EndpointProbe = (endpoint: Endpoint, signal: AbortSignal) => Promise<void>;

/** Times of the probing. */
export interface EndpointHealthOptions {
  /** After a lost connection: runs in the background instead of letting a call through. */
  readonly probe?: EndpointProbe | undefined;
  /** Bound of the delay before the first probe, ms; default 1,000. Half of it is random. */
  readonly probeInitialMs?: number | undefined;
  /** Bound that the delay grows to, doubling, ms; default 30,000. */
  readonly probeMaxMs?: number | undefined;
  /** Longest a background probe may take, ms; default 2,000. */
  readonly probeTimeoutMs?: number | undefined;
  /** Failures in a row, timeouts included, after which an endpoint is down; default 5, 0 for never. */
  readonly failuresMax?: number | undefined;
  /**
   * Largest share of all endpoints that failures (not lost connections) may take out; default 0.5. When
   * more fail than that, it is the service that fails, and fewer servers would not help it.
   */
  readonly failedShareMax?: number | undefined;
}

/** Background probes running at once; more wait for their next turn. */
const PROBES_MAX = 32;
/** How long a probe waits for a call that may be repeated, before it takes one that may not. */
const IDEMPOTENT_WAIT_MS = 30_000;

/** What an attempt said about its endpoint. @internal */
export type HealthEvidence = "answered" | "failed" | "connectionFailed" | "nothing";

interface DownRecord {
  readonly slot: number;
  readonly generation: number;
  readonly endpoint: Endpoint;
  readonly backoff: Backoff;
  readonly cause: "connection" | "failures";
  dueAtMs: number;
  probing: boolean;
  timer: Timer | undefined;
  readonly controller: AbortController;
}

/** Keeps `pool` in step with what connections say. */
export class EndpointHealth {
  readonly #pool: EndpointPool;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: EndpointHealthOptions;
  readonly #onUp: (endpoint: Endpoint) => void;
  readonly #down = new Map<number, DownRecord>();
  /** Failures in a row, by slot, of endpoints that are up. */
  readonly #failures = new Map<number, number>();
  #nextDueMs = Number.POSITIVE_INFINITY;
  #probesRunning = 0;
  #closed = false;

  /** `onUp` is called when an endpoint that was down is picked again. */
  constructor(
    pool: EndpointPool,
    runtime: { readonly clock: Clock; readonly random: Random },
    options: EndpointHealthOptions,
    onUp: (endpoint: Endpoint) => void,
  ) {
    this.#pool = pool;
    this.#clock = runtime.clock;
    this.#random = runtime.random;
    this.#options = options;
    this.#onUp = onUp;
  }

  /** Endpoints that are down. */
  get downCount(): number {
    return this.#down.size;
  }

  /** Takes in what an attempt has shown. `generation` is that of the attempt's beginning. */
  observe(slot: number, generation: number, evidence: HealthEvidence): void {
    if (this.#closed || this.#pool.generationOf(slot) !== generation) return;
    switch (evidence) {
      case "answered":
        if (this.#failures.size > 0) this.#failures.delete(slot);
        if (this.#down.size > 0) this.#markUp(slot);
        break;
      case "connectionFailed":
        this.#markDown(slot, "connection");
        break;
      case "failed":
        this.#countFailure(slot);
        break;
      case "nothing": {
        // A probe that found nothing out: the next one may try.
        const record = this.#down.get(slot);
        if (record?.probing === true && this.#isLive(record)) this.#schedule(record);
        break;
      }
    }
  }

  #countFailure(slot: number): void {
    const { failuresMax = 5, failedShareMax = 0.5 } = this.#options;
    const record = this.#down.get(slot);
    if (record !== undefined) {
      if (record.probing && this.#isLive(record)) this.#schedule(record);
      return;
    }
    const failures = (this.#failures.get(slot) ?? 0) + 1;
    this.#failures.set(slot, failures);
    if (failuresMax === 0 || failures < failuresMax) return;
    if ((this.#down.size + 1) / this.#pool.memberCount > failedShareMax) return;
    this.#markDown(slot, "failures");
  }

  /** Takes an endpoint out; if it is out already and this was its probe, it waits longer for the next. */
  #markDown(slot: number, cause: DownRecord["cause"]): void {
    const known = this.#down.get(slot);
    if (known !== undefined) {
      // Calls that failed together are one piece of evidence: only a failed probe lengthens the wait.
      if (known.probing && this.#isLive(known)) this.#schedule(known);
      return;
    }
    const { probeInitialMs = 1_000, probeMaxMs = 30_000 } = this.#options;
    const record: DownRecord = {
      slot,
      generation: this.#pool.generationOf(slot),
      endpoint: this.#pool.endpointAt(slot),
      backoff: new Backoff({ initialMs: probeInitialMs, maxMs: probeMaxMs, floor: 0.5 }, this.#random),
      cause,
      dueAtMs: 0,
      probing: false,
      timer: undefined,
      controller: new AbortController(),
    };
    this.#failures.delete(slot);
    this.#down.set(slot, record);
    this.#pool.setDown(slot, true);
    this.#schedule(record);
  }

  /** Takes an endpoint in again. */
  #markUp(slot: number): void {
    const record = this.#down.get(slot);
    if (record === undefined) return;
    this.#forget(record);
    this.#pool.setDown(slot, false);
    this.#onUp(record.endpoint);
  }

  /** Whether a call is to probe it, not the owner's function. */
  #isLive(record: DownRecord): boolean {
    return record.cause === "failures" || this.#options.probe === undefined;
  }

  /**
   * The slot of an endpoint whose time for a probe by a live call has come, or `NO_SLOT`. The call that
   * asks must try it: nobody else gets it meanwhile. After failures it should be a call that may be
   * repeated elsewhere.
   */
  takeDueProbe(tried: readonly number[], idempotent: boolean): number {
    if (this.#down.size === 0) return NO_SLOT;
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#nextDueMs) return NO_SLOT;
    let taken = NO_SLOT;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const record of this.#down.values()) {
      if (record.probing || !this.#isLive(record)) continue;
      const patienceMs = record.cause === "failures" && !idempotent ? IDEMPOTENT_WAIT_MS : 0;
      if (taken === NO_SLOT && record.dueAtMs + patienceMs <= nowMs && !tried.includes(record.slot)) {
        taken = record.slot;
        record.probing = true;
      } else {
        nextMs = Math.min(nextMs, record.dueAtMs);
      }
    }
    this.#nextDueMs = nextMs;
    return taken;
  }

  /**
   * Follows the directory; call it before the pool takes the change over. An endpoint that registered
   * anew has restarted, which is better evidence than the old failure.
   */
  apply(change: DirectoryChange): void {
    for (const endpoint of change.removed) {
      const slot = this.#pool.slotOf(endpoint);
      const record = this.#down.get(slot);
      if (record !== undefined) this.#forget(record);
      this.#failures.delete(slot);
    }
    for (const endpoint of change.changed) {
      const record = this.#down.get(this.#pool.slotOf(endpoint));
      if (record !== undefined && record.endpoint.path !== endpoint.path) this.#markUp(record.slot);
    }
  }

  /** Ends all probing. */
  close(): void {
    this.#closed = true;
    for (const record of [...this.#down.values()]) this.#forget(record);
  }

  #forget(record: DownRecord): void {
    this.#down.delete(record.slot);
    record.timer?.cancel();
    record.controller.abort();
  }

  #schedule(record: DownRecord): void {
    const delayMs = record.backoff.nextMs();
    record.probing = false;
    record.dueAtMs = this.#clock.nowMs() + delayMs;
    const { probe } = this.#options;
    if (probe === undefined || this.#isLive(record)) {
      this.#nextDueMs = Math.min(this.#nextDueMs, record.dueAtMs);
      return;
    }
    record.timer = this.#clock.after(delayMs, () => {
      // Never rejects: the outcome of a probe is a state.
      void this.#runProbe(record, probe);
    });
  }

  async #runProbe(record: DownRecord, probe: EndpointProbe): Promise<void> {
    if (this.#probesRunning >= PROBES_MAX) {
      this.#schedule(record);
      return;
    }
    this.#probesRunning++;
    record.probing = true;
    const controller = new AbortController();
    const abort = (): void => controller.abort(record.controller.signal.reason);
    record.controller.signal.addEventListener("abort", abort, { once: true });
    let giveUp!: () => void;
    const ended = new Promise<boolean>((resolve) => {
      giveUp = () => resolve(false);
      controller.signal.addEventListener("abort", giveUp, { once: true });
    });
    const timer = this.#clock.after(this.#options.probeTimeoutMs ?? 2_000, () => controller.abort());
    let answered = false;
    try {
      const outcome = probe(record.endpoint, controller.signal).then(
        () => true,
        () => false,
      );
      answered = await Promise.race([outcome, ended]);
    } catch {
      answered = false;
    } finally {
      timer.cancel();
      giveUp();
      record.controller.signal.removeEventListener("abort", abort);
      this.#probesRunning--;
    }
    if (this.#down.get(record.slot) !== record) return;
    if (answered) this.#markUp(record.slot);
    else this.#schedule(record);
  }
}
