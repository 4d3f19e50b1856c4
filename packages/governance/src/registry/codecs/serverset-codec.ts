// SPDX-License-Identifier: Apache-2.0
// Finagle's and Aurora's ServerSets, which Prometheus (`serverset_sd_configs`) and Alloy read as well:
// ephemeral sequential children `member_` of any root, with data such as
// `{"serviceEndpoint":{"host":"10.0.0.3","port":8080},"additionalEndpoints":{},"status":"ALIVE","shard":0}`.
// Weights are no part of a member: siblings `vector_` multiply them (see serverset-weights.ts).
import { assertInstance, type InstanceFields, instanceIdentity } from "../instance.ts";
import type { DecodedMember, EncodedInstance, InstanceCodec } from "../instance-codec.ts";
import { JsonObjectText } from "./json-object-text.ts";
import {
  assertRewritable,
  bad,
  editableObject,
  instanceData,
  invalidInstance,
  isJsonObject,
  type JsonObject,
  jsonText,
  memberOf,
  parseJsonObject,
  plainText,
  textFrom,
} from "./member-data.ts";
import { decodeWeightVector, VECTOR_PREFIX } from "./serverset-weights.ts";

/** Options of `serverSetCodec`. */
export interface ServerSetCodecOptions {
  /** Reads this additional endpoint of each member instead of its main one, as Finagle's `zk2!…!NAME`. */
  readonly endpoint?: string | undefined;
}

const MEMBER_PREFIX = "member_";
const LAYOUT = "serverset";

/** Makes a codec for the main endpoints, or for the additional ones of one name. */
export function serverSetCodec(options: ServerSetCodecOptions = {}): InstanceCodec {
  return {
    name: LAYOUT,
    servicesRoot: "/discovery",
    isMember: (name) => name.startsWith(MEMBER_PREFIX) || name.startsWith(VECTOR_PREFIX),
    decode: (path, data) =>
      path.slice(path.lastIndexOf("/") + 1).startsWith(VECTOR_PREFIX)
        ? decodeWeightVector(data)
        : decode(options.endpoint, path, data),
    encode,
    rewrite,
  };
}

function decode(name: string | undefined, path: string, data: Buffer): DecodedMember {
  if (data.length === 0) return { kind: "other" };
  const parsed = parseJsonObject(data);
  if (typeof parsed === "string") return bad(parsed);
  const { serviceEndpoint, metadata, ...layout } = parsed;
  const { status, additionalEndpoints } = parsed;
  const additional = isJsonObject(additionalEndpoints) ? additionalEndpoints : {};
  if (name !== undefined && !Object.hasOwn(additional, name)) return { kind: "other" };
  const address = name === undefined ? serviceEndpoint : additional[name];
  if (!isJsonObject(address)) return bad(`${name ?? "serviceEndpoint"} is not an endpoint`);
  const { id: givenId, ...fields } = isJsonObject(metadata) ? metadata : {};
  const id = textFrom(givenId);
  const { host, port } = address;
  return memberOf({
    host,
    port,
    id,
    // STARTING, STOPPING, …: known, but not to be called.
    weight: status === "ALIVE" ? undefined : 0,
    path,
    metadata: { ...fields, [LAYOUT]: layout },
    identity: instanceIdentity({ host: host as string, port: port as number, id }),
  });
}

function encode(instance: InstanceFields): EncodedInstance {
  assertInstance(instance);
  const { host, port, weight = 1, [LAYOUT]: given = {}, ...fields } = instance;
  if (!isJsonObject(given)) throw invalidInstance(`${LAYOUT} must be an object`);
  if (weight !== 1) {
    throw invalidInstance("members of a ServerSet have no weight: register it with serverSetWeightCodec");
  }
  const { additionalEndpoints = {}, status = "ALIVE", shard, ...layout } = given;
  if (shard !== undefined && !Number.isInteger(shard)) throw invalidInstance("shard must be an integer");
  const metadata = metadataOf(fields);
  const text = jsonText("the instance", {
    serviceEndpoint: { host, port },
    additionalEndpoints,
    status,
    shard,
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...layout,
  }) as string;
  return { name: MEMBER_PREFIX, mode: "ephemeralSequential", data: instanceData(text) };
}

/** A map of texts, which is all that readers take. */
function metadataOf(fields: JsonObject): Record<string, string> {
  const entries = Object.entries(fields).map(([key, value]) => [key, plainText(key, value)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function rewrite(data: Buffer, changes: JsonObject): Buffer {
  assertRewritable(changes);
  const { weight, [LAYOUT]: layout = {}, ...fields } = changes;
  if (weight !== undefined) throw invalidInstance("members of a ServerSet have no weight");
  if (!isJsonObject(layout)) throw invalidInstance(`${LAYOUT} must be an object`);
  const object = editableObject(data);
  for (const [key, value] of Object.entries(layout)) {
    if (key === "serviceEndpoint" || key === "metadata") throw invalidInstance(`${key} cannot be changed so`);
    object.set(key, jsonText(key, value));
  }
  if (Object.keys(fields).length > 0) {
    const metadata = JsonObjectText.parse(object.get("metadata") ?? "{}");
    if (metadata === undefined) throw invalidInstance("what is registered has no usable metadata");
    for (const [key, value] of Object.entries(fields)) {
      const text = plainText(key, value);
      metadata.set(key, text === undefined ? undefined : JSON.stringify(text));
    }
    object.set("metadata", metadata.toString());
  }
  return instanceData(object.toString());
}
