// SPDX-License-Identifier: Apache-2.0
// Weights of a ServerSet: siblings `vector_` of its members, such as
// `{"vector":[{"select":"inet=10.0.0.3:8080","weight":0.5,"priority":1}]}`. An endpoint's weight is the
// product of all that select it; a negative one hides it.
import { type Endpoint, endpointKey } from "../../endpoint.ts";
import { assertInstance, type InstanceFields } from "../instance.ts";
import type { DecodedMember, EncodedInstance, InstanceCodec } from "../instance-codec.ts";
import { bad, instanceData, invalidInstance, isJsonObject, parseJsonObject } from "./member-data.ts";

/** How the names of weight vectors begin. @internal */
export const VECTOR_PREFIX: string = "vector_";

/** One line of a weight vector. */
export interface ServerSetWeight {
  /** "inet=HOST:PORT", "member=NAME" or "shard=NUMBER". */
  readonly select: string;
  /** Factor, 0 or more; -1 hides what is selected. */
  readonly weight: number;
}

/** Descriptors by what they select, so that a lookup costs the same however many there are. */
type Factors = ReadonlyMap<string, number>;

/** Reads a vector. Lines that are not understood are left out, as Finagle does. @internal */
export function decodeWeightVector(data: Buffer): DecodedMember {
  if (data.length === 0) return { kind: "other" };
  const factors = factorsOf(data);
  if (typeof factors === "string") return bad(factors);
  return { kind: "weights", factorOf: (endpoint) => factorOf(factors, endpoint) };
}

function factorsOf(data: Buffer): Factors | string {
  const parsed = parseJsonObject(data);
  if (typeof parsed === "string") return parsed;
  const { vector } = parsed;
  if (!Array.isArray(vector)) return "has no vector";
  const factors = new Map<string, number>();
  for (const line of vector as readonly unknown[]) {
    if (!isJsonObject(line)) continue;
    const { select, weight } = line;
    if (typeof select !== "string" || typeof weight !== "number") continue;
    const product = multiply(factors.get(select) ?? 1, weight);
    if (product !== undefined) factors.set(select, product);
  }
  return factors;
}

/** Hidden stays hidden; undefined for a factor that is no number any more. */
function multiply(left: number, right: number): number | undefined {
  const product = left < 0 || right < 0 ? -1 : left * right;
  return Number.isFinite(product) ? product : undefined;
}

function factorOf(factors: Factors, endpoint: Endpoint): number {
  const { path = "", metadata } = endpoint;
  const layout = metadata["serverset"];
  const shard = isJsonObject(layout) ? layout["shard"] : undefined;
  let factor = 1;
  for (const select of [
    `inet=${endpointKey(endpoint)}`,
    `member=${path.slice(path.lastIndexOf("/") + 1)}`,
    ...(typeof shard === "number" ? [`shard=${shard}`] : []),
  ]) {
    factor = multiply(factor, factors.get(select) ?? 1) ?? factor;
  }
  return factor;
}

/** The data of a weight vector. Finagle takes `2` for 1.0, so each weight is written with a decimal point. */
export function serverSetWeights(weights: readonly ServerSetWeight[]): Buffer {
  const lines = weights.map(({ select, weight }) => {
    if (!Number.isFinite(weight)) throw invalidInstance(`the weight of ${select} must be a number`);
    const digits = String(weight);
    const text = /[.e]/.test(digits) ? digits : `${digits}.0`;
    return `{"select":${JSON.stringify(select)},"weight":${text},"priority":1}`;
  });
  return instanceData(`{"vector":[${lines.join(",")}]}`);
}

/**
 * Registers the weight of an instance beside it: a vector that lives as long as the registration. Use it
 * with a `Registrar` of its own on the root of the members.
 */
export const serverSetWeightCodec: InstanceCodec = {
  name: "serverset-weight",
  servicesRoot: "/discovery",
  isMember: (name) => name.startsWith(VECTOR_PREFIX),
  identity: weightIdentity,
  decode(_path, data): DecodedMember {
    const factors = factorsOf(data);
    if (typeof factors === "string") return bad(factors);
    const [select, ...others] = factors.keys();
    // A vector of more lines is nobody's registration.
    if (select?.startsWith("inet=") !== true || others.length > 0) return { kind: "other" };
    return { kind: "member", endpoints: [], identity: `weight ${select}` };
  },
  encode(instance: InstanceFields): EncodedInstance {
    assertInstance(instance);
    const { weight = 1 } = instance;
    const data = serverSetWeights([{ select: `inet=${endpointKey(instance)}`, weight }]);
    return { name: VECTOR_PREFIX, mode: "ephemeralSequential", data };
  },
};

function weightIdentity(instance: InstanceFields): string {
  return `weight inet=${endpointKey(instance)}`;
}
