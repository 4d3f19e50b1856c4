// SPDX-License-Identifier: Apache-2.0
// The frame that Curator x-discovery, Spring Cloud Zookeeper and Dubbo's application level share:
// `BASE/SERVICE/ID`, an ephemeral znode below container znodes, whose data is Curator's ServiceInstance as
// Jackson writes it. They differ in the payload. Proven against Curator 5.4 itself.
//
// An instance's own fields live in the payload. Old Curators refuse unknown keys beside theirs, so nothing
// is added there; what is found there is kept, under `metadata[LAYOUT]` when read.
import { nodeName, parentPath } from "@meerkat/client";
import { assertInstance, type InstanceFields } from "../instance.ts";
import type { DecodedMember, EncodeContext, EncodedInstance, InstanceCodec } from "../instance-codec.ts";
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
  textFrom,
  weightFrom,
  znodeName,
} from "./member-data.ts";

/** An instance about to be written, split into its parts. */
export interface XDiscoveryInstance {
  readonly host: string;
  readonly port: number;
  readonly id: string;
  readonly service: string;
  readonly registeredAtMs: number;
  /** Weight and the instance's own fields. */
  readonly fields: JsonObject;
  /** What was given under the layout's name. */
  readonly layout: JsonObject;
}

/** How a layout uses the payload. @internal */
export interface PayloadShape {
  /** The instance's own fields, and what is to be kept under the layout's name. */
  read(payload: unknown): { readonly fields: JsonObject; readonly layout: JsonObject };
  /** The payload of a new instance. */
  write(instance: XDiscoveryInstance): unknown;
  /** The payload's text with changes laid over its fields. */
  rewrite(payloadText: string | undefined, changes: JsonObject): string;
  /** Keys under the layout's name that `write` uses up. */
  readonly layoutKeys: readonly string[];
  readonly weightDefault?: number | undefined;
  /** Whether it is to get no new calls. */
  isOut(fields: JsonObject): boolean;
}

/** What sets a layout apart. @internal */
export interface XDiscoveryOptions {
  readonly name: string;
  readonly shape: PayloadShape;
  /** Written where none is given. */
  readonly uriSpec: unknown;
}

/** Keys of a ServiceInstance that are not kept under the layout's name. */
const STANDARD_KEYS = new Set(["id", "address", "port", "payload"]);

/** Makes the codec. @internal */
export function xDiscoveryCodec(options: XDiscoveryOptions): InstanceCodec {
  const { name } = options;
  return {
    name,
    servicesRoot: "/services",
    rootMode: "container",
    isMember: () => true,
    identity: (instance) => `id ${idOf(instance)}`,
    decode: (path, data) => decode(options, path, data),
    encode: (instance, context) => encode(options, instance, context),
    rewrite: (data, changes) => rewrite(options, data, changes),
  };
}

/** The znode's name must be known before the instance is, so it is never a random one. */
function idOf({ id, host, port }: InstanceFields): string {
  return id ?? `${host}:${port}`;
}

function decode({ name, shape }: XDiscoveryOptions, path: string, data: Buffer): DecodedMember {
  if (data.length === 0) return { kind: "other" };
  const parsed = parseJsonObject(data);
  if (typeof parsed === "string") return bad(parsed);
  const { address, port, sslPort, payload, enabled } = parsed;
  const id = textFrom(parsed["id"]) ?? nodeName(path);
  const { fields, layout } = shape.read(payload);
  const { weight, ...metadata } = fields;
  const kept: [string, unknown][] = Object.entries(parsed).filter(
    ([key, value]) => !STANDARD_KEYS.has(key) && value !== null,
  );
  const isOut = enabled === false || shape.isOut(fields);
  return memberOf({
    host: address,
    // A service with TLS only has no other port.
    port: port ?? sslPort,
    id,
    weight: isOut ? 0 : (weightFrom(weight) ?? shape.weightDefault),
    path,
    metadata: { ...metadata, [name]: { ...Object.fromEntries(kept), ...layout } },
    identity: `id ${id}`,
  });
}

function encode(
  { name, shape, uriSpec }: XDiscoveryOptions,
  instance: InstanceFields,
  { root, registeredAtMs }: EncodeContext,
): EncodedInstance {
  assertInstance(instance);
  const { host, port, id: _id, [name]: given = {}, ...fields } = instance;
  if (!isJsonObject(given)) throw invalidInstance(`${name} must be an object`);
  const id = idOf(instance);
  const {
    name: service = nodeName(root),
    sslPort = null,
    registrationTimeUTC = registeredAtMs,
    serviceType = "DYNAMIC",
    uriSpec: givenSpec = uriSpec,
    ...layout
  } = given;
  if (typeof service !== "string" || service.length === 0 || parentPath(root) === root) {
    throw invalidInstance(`${name}.name must be the service's name`);
  }
  const rest = Object.entries(layout).filter(([key]) => !shape.layoutKeys.includes(key));
  const payload = shape.write({ host, port, id, service, registeredAtMs, fields, layout });
  // Jackson's order of Curator's fields.
  const text = jsonText("the instance", {
    name: service,
    id,
    address: host,
    port,
    sslPort,
    payload,
    registrationTimeUTC: typeof registrationTimeUTC === "number" ? registrationTimeUTC : registeredAtMs,
    serviceType,
    uriSpec: givenSpec,
    ...Object.fromEntries(rest.filter(([key]) => !STANDARD_KEYS.has(key))),
  }) as string;
  return { name: znodeName(id), mode: "ephemeral", data: instanceData(text) };
}

function rewrite({ name, shape }: XDiscoveryOptions, data: Buffer, changes: JsonObject): Buffer {
  assertRewritable(changes);
  const { [name]: layout = {}, ...fields } = changes;
  if (!isJsonObject(layout)) throw invalidInstance(`${name} must be an object`);
  const object = editableObject(data);
  for (const [key, value] of Object.entries(layout)) {
    if (STANDARD_KEYS.has(key) || shape.layoutKeys.includes(key)) {
      throw invalidInstance(`${name}.${key} cannot be changed in what is registered`);
    }
    object.set(key, jsonText(key, value));
  }
  if (Object.keys(fields).length > 0) object.set("payload", shape.rewrite(object.get("payload"), fields));
  return instanceData(object.toString());
}
