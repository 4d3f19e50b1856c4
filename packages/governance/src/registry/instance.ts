// SPDX-License-Identifier: Apache-2.0
// What a service publishes about one running copy of itself, and what every codec checks about it.
import { GovernanceError } from "../errors.ts";

/**
 * An instance to register. `host` and `port` are what clients connect to; any other key is published
 * beside them (JSON values only). Keys with a meaning of their own: `id` names the instance across
 * restarts, `weight` its share of the load.
 */
export interface InstanceFields {
  readonly host: string;
  readonly port: number;
  readonly id?: string | undefined;
  readonly weight?: number | undefined;
  readonly [key: string]: unknown;
}

/** Longest host name that is accepted, in characters (DNS allows 253). */
const HOST_LENGTH_MAX = 255;

/** What is wrong with an address, as the end of a sentence, or undefined. */
export function addressProblem(host: unknown, port: unknown): string | undefined {
  if (typeof host !== "string" || host.length === 0) return "host must be a non-empty string";
  if (host.length > HOST_LENGTH_MAX) return `host must not be longer than ${HOST_LENGTH_MAX} characters`;
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) {
    return "port must be an integer from 1 to 65535";
  }
  return undefined;
}

/** Throws `INVALID_INSTANCE` for an instance that no reader could use. */
export function assertInstance(instance: InstanceFields): void {
  const { id, weight } = instance;
  let problem = addressProblem(instance.host, instance.port);
  if (problem === undefined && id !== undefined && (typeof id !== "string" || id.length === 0)) {
    problem = "id must be a non-empty string";
  }
  if (problem === undefined && weight !== undefined && !(Number.isFinite(weight) && weight >= 0)) {
    problem = "weight must be a number, 0 or more";
  }
  if (problem !== undefined) {
    throw new GovernanceError(`the instance cannot be registered: ${problem}`, { code: "INVALID_INSTANCE" });
  }
}

/**
 * What makes two registrations the same instance: its `id`, else its address. The two never match each
 * other, so an instance with an id is not mistaken for a plain entry of the same address.
 */
export function instanceIdentity(instance: {
  readonly host: string;
  readonly port: number;
  readonly id?: unknown;
}): string {
  const { id, host, port } = instance;
  return typeof id === "string" && id.length > 0 ? `id ${id}` : `address ${host}:${port}`;
}
