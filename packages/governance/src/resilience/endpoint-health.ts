// SPDX-License-Identifier: Apache-2.0
// Which endpoints are down, by the evidence of connections: out at the first refusal or reset, back after
// a probe. A probe is either a function of the owner, run in the background, so that no user's call meets
// a dead endpoint again; or, without one, a single call let through when its time has come.
import { Backoff, type Clock, type Random, type Timer } from "@meerkat/runtime";
import { type EndpointPool, NO_SLOT } from "../balancing/endpoint-pool.ts";
import type { DirectoryChange, Endpoint } from "../endpoint.ts";

/** Finds out whether an endpoint answers again: resolves if so, rejects if not. */
export type EndpointProbe = (endpoint: Endpoint, signal: AbortSignal) => Promise<void>;

/** Times of the probing. */
export interface EndpointHealthOptions {
  /** Runs in the background instead of letting a call through. */
  readonly probe?: EndpointProbe | undefined;
  /** Bound of the delay before the first probe, ms; default 1,000. Half of it is random. */
  readonly probeInitialMs?: number | undefined;
  /** Bound that the delay grows to, doubling, ms; default 30,000. */
  readonly probeMaxMs?: number | undefined;
  /** Longest a background probe may take, ms; default 2,000. */
  readonly probeTimeoutMs?: number | undefined;
}

/** Background probes running at once; more wait for their next turn. */
const PROBES_MAX = 32;

interface DownRecord {
  readonly slot: number;
  readonly generation: number;
  readonly endpoint: Endpoint;
  readonly backoff: Backoff;
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

  /** Takes an endpoint out, or, if it is out already, waits longer before the next probe. */
  markDown(slot: number, generation: number): void {
    if (this.#closed || this.#pool.generationOf(slot) !== generation) return;
    const known = this.#down.get(slot);
    if (known !== undefined) {
      // Calls that failed together are one piece of evidence: only a failed probe lengthens the wait.
      if (known.probing && this.#options.probe === undefined) this.#schedule(known);
      return;
    }
    const { probeInitialMs = 1_000, probeMaxMs = 30_000 } = this.#options;
    const record: DownRecord = {
      slot,
      generation,
      endpoint: this.#pool.endpointAt(slot),
      backoff: new Backoff({ initialMs: probeInitialMs, maxMs: probeMaxMs, floor: 0.5 }, this.#random),
      dueAtMs: 0,
      probing: false,
      timer: undefined,
      controller: new AbortController(),
    };
    this.#down.set(slot, record);
    this.#pool.setDown(slot, true);
    this.#schedule(record);
  }

  /** Takes an endpoint in again: it has just answered. */
  markUp(slot: number, generation: number): void {
    const record = this.#down.get(slot);
    if (record === undefined || record.generation !== generation) return;
    this.#forget(record);
    this.#pool.setDown(slot, false);
    this.#onUp(record.endpoint);
  }

  /** A probe call ended without saying anything about the endpoint: let another one try. */
  releaseProbe(slot: number, generation: number): void {
    const record = this.#down.get(slot);
    if (record === undefined || record.generation !== generation || !record.probing) return;
    if (this.#options.probe === undefined) this.#schedule(record);
  }

  /**
   * The slot of an endpoint whose time for a probe by a live call has come, or `NO_SLOT`. The call that
   * asks must try it: nobody else gets it meanwhile.
   */
  takeDueProbe(tried: readonly number[]): number {
    if (this.#down.size === 0 || this.#options.probe !== undefined) return NO_SLOT;
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#nextDueMs) return NO_SLOT;
    let taken = NO_SLOT;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const record of this.#down.values()) {
      if (record.probing) continue;
      if (taken === NO_SLOT && record.dueAtMs <= nowMs && !tried.includes(record.slot)) {
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
      const record = this.#down.get(this.#pool.slotOf(endpoint));
      if (record !== undefined) this.#forget(record);
    }
    for (const endpoint of change.changed) {
      const record = this.#down.get(this.#pool.slotOf(endpoint));
      if (record !== undefined && record.endpoint.path !== endpoint.path) {
        this.markUp(record.slot, record.generation);
      }
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
    this.#nextDueMs = Math.min(this.#nextDueMs, record.dueAtMs);
    const { probe } = this.#options;
    if (probe === undefined) return;
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
    if (answered) this.markUp(record.slot, record.generation);
    else this.#schedule(record);
  }
}
