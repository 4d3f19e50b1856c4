// SPDX-License-Identifier: Apache-2.0
// The demo's client: what the seed's client does in a loop, several times over.
import { type Directory, endpointKey, randomBalancer } from "@meerkat/governance";
import { arg, createRpcClient, defineService, f32, InvalidOperation, i32 } from "@meerkat/rpc";
import { errorFrom, type Runtime, sleep } from "@meerkat/runtime";
import type { Tally } from "./tally.ts";

/** The seed's contract, as the divide servers have it. */
const Divide = defineService("divide", {
  divide: {
    args: { num1: arg(1, i32), num2: arg(2, i32, { default: 1 }) },
    result: f32,
    errors: [InvalidOperation],
    idempotent: true,
  },
});

/** Calls under way at once, so that a kill meets some of them in flight. */
const CALLERS = 3;
/** Pause of each caller between two calls. */
const PAUSE_MS = 40;
/** Longest a call may take, failing over included. */
const CALL_TIMEOUT_MS = 5_000;

/**
 * Calls `divide(0)`, `divide(1)`, … until `signal` aborts, choosing a random live server for each as the
 * seed does, and enters everything in `tally`. Resolves when the last call has ended.
 */
export async function callUntilAborted(
  directory: Directory,
  tally: Tally,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<void> {
  await using client = createRpcClient(Divide, {
    directory,
    balancer: randomBalancer(runtime.random),
    timeoutMs: CALL_TIMEOUT_MS,
    runtime,
  });
  client.onAttempt(({ endpoint, outcome, latencyMs }) => {
    tally.attemptEnded(endpointKey(endpoint), outcome === "ok", runtime.clock.nowMs() - latencyMs);
  });
  let next = 0;
  const caller = async (): Promise<void> => {
    while (!signal.aborted) {
      const num1 = next++;
      try {
        const value = await client.divide({ num1 });
        if (value === num1) tally.callAnswered(`divide(${num1}) = ${value}`);
        else tally.callFailed(`divide(${num1}) gave ${value}`);
      } catch (error) {
        tally.callFailed(`divide(${num1}) failed: ${errorFrom(error).message}`);
      }
      await sleep(runtime.clock, PAUSE_MS, signal).catch(() => {});
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}
