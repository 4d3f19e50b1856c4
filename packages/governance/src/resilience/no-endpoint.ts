// SPDX-License-Identifier: Apache-2.0
import { errorFrom } from "@meerkat/runtime";
import type { Directory } from "../directory.ts";
import { GovernanceError } from "../errors.ts";
import type { CallScope } from "./call-scope.ts";

/** Says what was asked and tried, since "no endpoint" alone helps nobody. @internal */
export function noEndpointError(
  scope: CallScope,
  directory: Directory,
  known: number,
  down: number,
): GovernanceError {
  const status = directory.status?.();
  const source = status?.source ?? "the directory";
  const ageMs = status?.ageMs;
  const stale = directory.snapshot().stale ? ", stale" : "";
  const age = ageMs === undefined ? "never read" : `${Math.round(ageMs)} ms old${stale}`;
  const cause = scope.lastError ?? status?.lastError;
  const last = cause === undefined ? "" : `; last error: ${errorFrom(cause).message}`;
  const what =
    known === 0
      ? `no endpoint is known under ${source}: start a server that registers there, or check the root`
      : `no endpoint of ${source} could be reached`;
  return new GovernanceError(
    `${what} (waited ${scope.timeoutMs} ms; ${known} known, ${down} down, list ${age}; ${scope.attempts} attempts${last})`,
    {
      code: "NO_ENDPOINT",
      effect: scope.effect,
      context: { source, known, down, ageMs, attempts: scope.attempts },
      cause,
    },
  );
}
