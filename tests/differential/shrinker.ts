// SPDX-License-Identifier: Apache-2.0
// Makes a failing sequence small: without steps, without requests of a step, without operations of a multi, as
// long as it still fails.
import { OpCode } from "@meerkat/wire";
import type { Request, Sequence, Step } from "./sequence.ts";

/** Plays that a shrink may take. */
const PLAYS_MAX = 400;

/** Ways to leave something out of a step. */
function smallerSteps(step: Step): Step[] {
  if (step.kind !== "send") return [];
  const { requests } = step;
  const fewer =
    requests.length < 2
      ? []
      : requests.map((_, index) => ({ ...step, requests: requests.toSpliced(index, 1) }));
  const smaller = requests.flatMap((request, index) =>
    smallerRequests(request).map((changed) => ({ ...step, requests: requests.with(index, changed) })),
  );
  return [...fewer, ...smaller];
}

function smallerRequests(request: Request): Request[] {
  if (request.type !== OpCode.multi && request.type !== OpCode.multiRead) return [];
  const { operations } = request;
  return operations.map((_, index) => ({ ...request, operations: operations.toSpliced(index, 1) }));
}

/** The smallest sequence found that still makes `fails` give true; `sequence` itself does. */
export async function shrink(
  sequence: Sequence,
  fails: (candidate: Sequence) => Promise<boolean>,
): Promise<Sequence> {
  let best = sequence;
  let plays = 0;
  const tries = async (steps: readonly Step[]): Promise<boolean> => {
    if (plays >= PLAYS_MAX) return false;
    plays++;
    const candidate = { ...best, steps };
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  // Runs of steps, from long to single ones, last first: later steps depend on earlier ones.
  for (let run = Math.ceil(best.steps.length / 2); run >= 1; run = run === 1 ? 0 : Math.ceil(run / 2)) {
    for (let at = best.steps.length - run; at >= 0; at -= run) {
      await tries(best.steps.toSpliced(at, run));
    }
  }
  for (let at = best.steps.length - 1; at >= 0; at--) {
    for (let changed = true; changed; ) {
      changed = false;
      for (const smaller of smallerSteps(best.steps[at] as Step)) {
        changed = await tries(best.steps.with(at, smaller));
        if (changed) break;
      }
    }
  }
  return best;
}
