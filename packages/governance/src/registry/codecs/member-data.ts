// SPDX-License-Identifier: Apache-2.0
// What the codecs share: reading JSON with limits, fields of an instance, texts of fields.
import { type Endpoint, endpoint } from "../../endpoint.ts";
import { GovernanceError } from "../../errors.ts";
import { addressProblem, type InstanceFields } from "../instance.ts";
import type { DecodedMember } from "../instance-codec.ts";
import { isTooDeep, JsonObjectText } from "./json-object-text.ts";

/** Largest data of one instance, bytes. Every watcher reads it, so it must stay small. */
export const INSTANCE_BYTES_MAX: number = 64 * 1024;

/** An object as parsed from JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A child that cannot be understood. */
export function bad(reason: string): DecodedMember {
  return { kind: "bad", reason };
}

/** The error for an instance that a layout cannot carry; `problem` ends a sentence. */
export function invalidInstance(problem: string): GovernanceError {
  return new GovernanceError(`the instance cannot be registered: ${problem}`, { code: "INVALID_INSTANCE" });
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JSON object in the data, or what is wrong with it. */
export function parseJsonObject(data: Buffer): JsonObject | string {
  if (data.length > INSTANCE_BYTES_MAX) return `larger than ${INSTANCE_BYTES_MAX} bytes`;
  const text = data.toString("utf8");
  if (isTooDeep(text)) return "nested too deep";
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : "not a JSON object";
  } catch {
    return "not JSON";
  }
}

/** A member with one endpoint, or a bad child when the address is none. `identity` defaults to the address. */
export function memberOf(fields: {
  readonly host: unknown;
  readonly port: unknown;
  readonly id?: string | undefined;
  readonly weight?: number | undefined;
  readonly path: string;
  readonly metadata: JsonObject;
  readonly identity?: string | undefined;
}): DecodedMember {
  const problem = addressProblem(fields.host, fields.port);
  if (problem !== undefined) return bad(problem);
  const host = fields.host as string;
  const port = fields.port as number;
  const { id, weight, path, metadata, identity = `address ${host}:${port}` } = fields;
  return {
    kind: "member",
    identity,
    endpoints: [frozenEndpoint({ host, port, id, weight, path, metadata })],
  };
}

function frozenEndpoint(fields: Parameters<typeof endpoint>[0]): Endpoint {
  return endpoint({ ...fields, metadata: Object.freeze(fields.metadata ?? {}) });
}

/** A usable weight (a number, or one in a text), else undefined: nonsense must not take a server away. */
export function weightFrom(value: unknown): number | undefined {
  const weight = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof weight === "number" && Number.isFinite(weight) && weight >= 0 ? weight : undefined;
}

/** A non-empty text, else undefined. */
export function textFrom(value: unknown): string | undefined {
  return typeof value === "string" && value.length > 0 ? value : undefined;
}

/** The weight as an integer, for layouts that know no other. Throws `INVALID_INSTANCE`. */
export function assertIntegerWeight(instance: InstanceFields, layout: string): void {
  if (instance.weight === undefined || Number.isInteger(instance.weight)) return;
  throw invalidInstance(`the layout ${layout} takes integers as weight, got ${instance.weight}`);
}

/** A value as JSON; undefined for what JSON leaves out. Throws `INVALID_INSTANCE` for what it cannot hold. */
export function jsonText(key: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(value) as string | undefined;
  } catch (error) {
    throw invalidInstance(`${key} cannot be written as JSON (${(error as Error).message})`);
  }
}

/** A value where a layout has room for texts only: texts as they are, all else as JSON, null as nothing. */
export function plainText(key: string, value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return value === null ? undefined : jsonText(key, value);
}

/** The text as data. Throws `INVALID_INSTANCE` when no reader would take it. */
export function instanceData(text: string): Buffer {
  if (isTooDeep(text)) throw invalidInstance("its fields are nested too deep");
  const data = Buffer.from(text, "utf8");
  if (data.length <= INSTANCE_BYTES_MAX) return data;
  throw invalidInstance(`it takes ${data.length} bytes; at most ${INSTANCE_BYTES_MAX} are allowed`);
}

/** The data as an object that can be changed member by member. Throws `INVALID_INSTANCE`. */
export function editableObject(data: Buffer): JsonObjectText {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw invalidInstance("what is registered is no UTF-8");
  }
  const object = JsonObjectText.parse(text);
  if (object === undefined) throw invalidInstance("what is registered is no JSON object");
  return object;
}

/** Refuses changes that would make another instance of it. Throws `INVALID_INSTANCE`. */
export function assertRewritable(changes: JsonObject): void {
  for (const key of ["host", "port", "id"]) {
    if (key in changes) throw invalidInstance(`${key} cannot be changed in what is registered`);
  }
  const { weight } = changes;
  if (weight === undefined || (typeof weight === "number" && weightFrom(weight) !== undefined)) return;
  throw invalidInstance("weight must be a number, 0 or more");
}

/** A name for a znode of its own. Throws `INVALID_INSTANCE` for one that ZooKeeper would refuse. */
export function znodeName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what ZooKeeper refuses.
  const refused = /[/\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/.test(name);
  if (refused || name === "." || name === "..") {
    throw invalidInstance(`"${name}" cannot name a znode (a slash or a control character)`);
  }
  return name;
}

/** `host:port` as text, an IPv6 address in brackets or not; undefined for anything else. */
export function addressFrom(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|(.+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const host = match[1] ?? match[2]!;
  const port = Number(match[3]);
  return addressProblem(host, port) === undefined ? { host, port } : undefined;
}
