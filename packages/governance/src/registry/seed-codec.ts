// SPDX-License-Identifier: Apache-2.0
// The seed's layout: ephemeral sequential children `server` + 10 digits directly under the root (`/rpc`),
// data `{"host": "127.0.0.1", "port": 8001}`. Its Python client parses every child that has data and
// reads these two keys, so more keys may follow. A subset of Airbnb Nerve's format, so Prometheus'
// `nerve_sd_configs` reads it too.
import {
  assertRewritable,
  editableObject,
  instanceData,
  jsonText,
  memberOf,
  parseJsonObject,
  textFrom,
  weightFrom,
} from "./codecs/member-data.ts";
import { addressProblem, assertInstance, type InstanceFields, instanceIdentity } from "./instance.ts";
import type { DecodedMember, EncodedInstance, InstanceCodec } from "./instance-codec.ts";

/** JSON with a space after comma and colon, as Python's `json.dumps` writes it. */
function pythonJson(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return jsonText("a field", value);
  if ("toJSON" in value && typeof value.toJSON === "function") return pythonJson(value.toJSON());
  if (Array.isArray(value)) return `[${value.map((item) => pythonJson(item) ?? "null").join(", ")}]`;
  const parts: string[] = [];
  for (const [key, item] of Object.entries(value)) {
    const text = pythonJson(item);
    if (text !== undefined) parts.push(`${JSON.stringify(key)}: ${text}`);
  }
  return `{${parts.join(", ")}}`;
}

function decode(path: string, data: Buffer): DecodedMember {
  // The seed's rule: a child without data is no server.
  if (data.length === 0) return { kind: "other" };
  const parsed = parseJsonObject(data);
  if (typeof parsed === "string") return { kind: "bad", reason: parsed };
  const { host, port, id, weight, ...metadata } = parsed;
  const problem = addressProblem(host, port);
  if (problem !== undefined) return { kind: "bad", reason: problem };
  return memberOf({
    host,
    port,
    id: textFrom(id),
    // Only a number is a weight here. One that makes no sense must not take a server out of service.
    weight: typeof weight === "number" ? weightFrom(weight) : undefined,
    path,
    metadata,
    identity: instanceIdentity({ host: host as string, port: port as number, id }),
  });
}

function encode(instance: InstanceFields): EncodedInstance {
  assertInstance(instance);
  const { host, port, ...extra } = instance;
  const text = pythonJson({ host, port, ...extra }) as string;
  return { name: "server", mode: "ephemeralSequential", data: instanceData(text) };
}

function rewrite(data: Buffer, changes: Readonly<Record<string, unknown>>): Buffer {
  assertRewritable(changes);
  const object = editableObject(data);
  for (const [key, value] of Object.entries(changes)) object.set(key, pythonJson(value));
  return instanceData(object.toString(" "));
}

/** See the head of the file. Names are ignored when reading, as the seed does. */
export const seedCodec: InstanceCodec = { name: "seed", isMember: () => true, decode, encode, rewrite };
