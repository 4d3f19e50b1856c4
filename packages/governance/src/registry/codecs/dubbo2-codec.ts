// SPDX-License-Identifier: Apache-2.0
// Dubbo 2, interface level (Dubbo 3 still writes it too): `/dubbo/INTERFACE/providers/NAME`, where NAME is
// the provider's URL in Java's URL encoding. All information is in the name; the data says nothing. So an
// update is another znode: the new one is made before the old one goes.
import { nodeName } from "@meerkat/client";
import { assertInstance, type InstanceFields } from "../instance.ts";
import type { DecodedMember, EncodeContext, EncodedInstance, InstanceCodec } from "../instance-codec.ts";
import { assertIntegerWeight, bad, invalidInstance, memberOf, plainText, weightFrom } from "./member-data.ts";
import {
  javaUrlDecode,
  javaUrlEncode,
  parseServiceUrl,
  type ServiceUrl,
  serviceUrlText,
} from "./service-url.ts";

/** Options of `dubbo2Codec`. Both narrow what is read; what is left out matches everything. */
export interface Dubbo2CodecOptions {
  /** Only providers of this group; "" for those without one, "*" for all. */
  readonly group?: string | undefined;
  /** Only providers of this version; "0.0.0" for those without one, "*" for all. */
  readonly version?: string | undefined;
}

/** Dubbo's weight for who says none. */
const WEIGHT_DEFAULT = 100;
/** Names of providers begin with a protocol, encoded. */
const NAME_PATTERN = /^[a-z][a-z0-9+.-]*%3A%2F%2F/i;
/** Parameters must be texts that Dubbo's parser does not cut. */
const CUTTING_PATTERN = /[&;]|^\s|\s$/;

/** Makes a codec for providers of one group and version, or of all. */
export function dubbo2Codec(options: Dubbo2CodecOptions = {}): InstanceCodec {
  const { group = "*", version = "*" } = options;
  const matches = ({ params }: ServiceUrl): boolean =>
    (group === "*" || (params["group"] ?? "") === group) &&
    (version === "*" || (params["version"] || "0.0.0") === version);
  return {
    name: "dubbo2",
    servicesRoot: "/dubbo",
    membersName: "providers",
    isMember(name) {
      if (!NAME_PATTERN.test(name)) return false;
      if (group === "*" && version === "*") return true;
      const url = parseServiceUrl(javaUrlDecode(name) ?? "");
      return url === undefined || matches(url);
    },
    identity: ({ host, port, protocol, group: ownGroup, version: ownVersion }) =>
      identityOf({ host, port, protocol: plain(protocol, "dubbo"), group: ownGroup, version: ownVersion }),
    decode: (path) => decode(path),
    encode,
  };
}

function plain(value: unknown, otherwise: string): string {
  return typeof value === "string" && value.length > 0 ? value : otherwise;
}

/** One process may provide an interface in several groups and versions at one address. */
function identityOf(of: {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
  readonly group: unknown;
  readonly version: unknown;
}): string {
  const { protocol, host, port, group, version } = of;
  return `provider ${protocol}://${host}:${port} ${plain(group, "")}/${plain(version, "0.0.0")}`;
}

function decode(path: string): DecodedMember {
  const text = javaUrlDecode(nodeName(path));
  if (text === undefined) return bad("its name is not URL-encoded UTF-8");
  const url = parseServiceUrl(text);
  if (url === undefined) return bad("its name is no URL");
  const { protocol, host, port, params, path: servicePath } = url;
  // An internal mark of Dubbo's, never a provider.
  if (protocol === "empty") return { kind: "other" };
  const { weight, id, ...metadata } = params;
  return memberOf({
    host,
    port,
    id: id || undefined,
    weight: params["enabled"] === "false" ? 0 : (weightFrom(weight) ?? WEIGHT_DEFAULT),
    path,
    metadata: { ...metadata, protocol, path: servicePath },
    identity: identityOf({ protocol, host, port, group: params["group"], version: params["version"] }),
  });
}

/** The interface that a root such as `/dubbo/org.acme.DemoService/providers` is for. */
function interfaceOf(root: string): string {
  const parts = root.split("/").filter((part) => part.length > 0);
  return (parts.at(-1) === "providers" ? parts.at(-2) : parts.at(-1)) ?? "";
}

function encode(instance: InstanceFields, { root, registeredAtMs }: EncodeContext): EncodedInstance {
  assertInstance(instance);
  assertIntegerWeight(instance, "dubbo2");
  const { host, port, protocol = "dubbo", path, ...fields } = instance;
  const named = { interface: interfaceOf(root), ...fields };
  const entries: (readonly [string, string])[] = [];
  // The time is that of the registration: a new one for each znode would leave a trail of them.
  const all = { dynamic: true, side: "provider", timestamp: registeredAtMs, ...named };
  for (const [key, value] of Object.entries(all)) {
    const text = plainText(key, value);
    // Dubbo leaves out what is empty.
    if (text === undefined || text === "") continue;
    if (CUTTING_PATTERN.test(text) || /[&=;]/.test(key)) {
      throw invalidInstance(`Dubbo's URLs cannot carry ${key}=${text}`);
    }
    entries.push([key, text]);
  }
  if (typeof protocol !== "string" || !/^[a-z][a-z0-9+.-]*$/i.test(protocol)) {
    throw invalidInstance("protocol must be the scheme of a URL");
  }
  const params = Object.fromEntries(entries);
  const servicePath = plain(path, params["interface"] ?? "");
  if (/[?#@]/.test(servicePath) || /[@/?#]/.test(host)) {
    throw invalidInstance("host and path must fit into a URL");
  }
  const text = serviceUrlText({ protocol, host, port, path: servicePath, params });
  if (/\p{Surrogate}/u.test(text)) throw invalidInstance("its fields are not well-formed Unicode");
  const name = javaUrlEncode(text);
  if (name.length > NAME_LENGTH_MAX) throw invalidInstance(`its URL takes ${name.length} characters encoded`);
  return { name, mode: "ephemeral", data: Buffer.alloc(0) };
}

/** Longest name that is written; every listing of the providers repeats it. */
const NAME_LENGTH_MAX = 16 * 1024;
