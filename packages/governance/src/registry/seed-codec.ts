// SPDX-License-Identifier: Apache-2.0
// The seed's layout: ephemeral sequential children `server` + 10 digits directly under the root (`/rpc`),
// data `{"host": "127.0.0.1", "port": 8001}`. Its Python client parses every child that has data and
// reads these two keys, so more keys may follow. A subset of Airbnb Nerve's format, so Prometheus'
// `nerve_sd_configs` reads it too.
import { endpoint } from "../endpoint.ts";
import { GovernanceError } from "../errors.ts";
import { addressProblem, assertInstance, type InstanceFields, instanceIdentity } from "./instance.ts";
import type { DecodedMember, EncodedInstance, InstanceCodec } from "./instance-codec.ts";

/** Largest data of one instance, bytes. Every watcher reads it, so it must stay small. */
const INSTANCE_BYTES_MAX = 64 * 1024;

/** JSON with a space after comma and colon, as Python's `json.dumps` writes it. */
function pythonJson(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if ("toJSON" in value && typeof value.toJSON === "function") return pythonJson(value.toJSON());
  if (Array.isArray(value)) return `[${value.map((item) => pythonJson(item) ?? "null").join(", ")}]`;
  const parts: string[] = [];
  for (const [key, item] of Object.entries(value)) {
    const text = pythonJson(item);
    if (text !== undefined) parts.push(`${JSON.stringify(key)}: ${text}`);
  }
  return `{${parts.join(", ")}}`;
}

function bad(reason: string): DecodedMember {
  return { kind: "bad", reason };
}

function decode(path: string, data: Buffer): DecodedMember {
  // The seed's rule: a child without data is no server.
  if (data.length === 0) return { kind: "other" };
  if (data.length > INSTANCE_BYTES_MAX) return bad(`larger than ${INSTANCE_BYTES_MAX} bytes`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(data.toString("utf8"));
  } catch {
    return bad("not JSON");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return bad("not a JSON object");
  const { host, port, id, weight, ...metadata } = parsed as Record<string, unknown>;
  const problem = addressProblem(host, port);
  if (problem !== undefined) return bad(problem);
  const address = { host: host as string, port: port as number };
  return {
    kind: "member",
    identity: instanceIdentity({ ...address, id }),
    endpoints: [
      endpoint({
        ...address,
        id: typeof id === "string" && id.length > 0 ? id : undefined,
        // A weight that makes no sense must not take a server out of service.
        weight: typeof weight === "number" && Number.isFinite(weight) && weight >= 0 ? weight : undefined,
        path,
        metadata: Object.freeze(metadata),
      }),
    ],
  };
}

function encode(instance: InstanceFields): EncodedInstance {
  assertInstance(instance);
  const { host, port, ...extra } = instance;
  const text = pythonJson({ host, port, ...extra }) as string;
  const data = Buffer.from(text, "utf8");
  if (data.length > INSTANCE_BYTES_MAX) {
    throw new GovernanceError(
      `the instance ${host}:${port} takes ${data.length} bytes as JSON; at most ${INSTANCE_BYTES_MAX} are allowed`,
      { code: "INVALID_INSTANCE" },
    );
  }
  return { name: "server", mode: "ephemeralSequential", data };
}

/** See the head of the file. Names are ignored when reading, as the seed does. */
export const seedCodec: InstanceCodec = { name: "seed", isMember: () => true, decode, encode };
