// SPDX-License-Identifier: Apache-2.0
// LinkedIn's D2 (rest.li), to read: children of `/d2/uris/CLUSTER` with data
// `{"clusterName":"Orders","weights":{"http://h:10059/ctx":1.0},"partitionDesc":{"http://h:10059/ctx":
// {"0":{"weight":1.0}}},"uriSpecificProperties":{}}`. One child may announce several URIs.
import type { Endpoint } from "../../endpoint.ts";
import type { DecodedMember, InstanceDecoder } from "../instance-codec.ts";
import { bad, isJsonObject, type JsonObject, memberOf, parseJsonObject, weightFrom } from "./member-data.ts";
import { parseServiceUrl } from "./service-url.ts";

/** Options of `d2Decoder`. */
export interface D2DecoderOptions {
  /** The partition to read; default 0. */
  readonly partition?: number | undefined;
}

/** Most URIs that one child may announce. */
const URIS_MAX = 100;

/** See the head of the file. */
export function d2Decoder({ partition = 0 }: D2DecoderOptions = {}): InstanceDecoder {
  return {
    name: "d2",
    servicesRoot: "/d2/uris",
    isMember: () => true,
    decode: (path, data) => decode(String(partition), path, data),
  };
}

/** Weights by URI: partitions say more than plain weights, so they win. */
function weightsOf(partition: string, parsed: JsonObject): (readonly [string, unknown])[] {
  const { partitionDesc, weights } = parsed;
  if (isJsonObject(partitionDesc) && Object.keys(partitionDesc).length > 0) {
    return Object.entries(partitionDesc).flatMap(([uri, partitions]) => {
      const entry = isJsonObject(partitions) ? partitions[partition] : undefined;
      return isJsonObject(entry) ? [[uri, entry["weight"]] as const] : [];
    });
  }
  return isJsonObject(weights) ? Object.entries(weights) : [];
}

function decode(partition: string, path: string, data: Buffer): DecodedMember {
  if (data.length === 0) return { kind: "other" };
  const parsed = parseJsonObject(data);
  if (typeof parsed === "string") return bad(parsed);
  const weights = weightsOf(partition, parsed);
  if (weights.length > URIS_MAX) return bad(`announces more than ${URIS_MAX} URIs`);
  const { clusterName, uriSpecificProperties: properties } = parsed;
  const endpoints: Endpoint[] = [];
  for (const [uri, weight] of weights) {
    const url = parseServiceUrl(uri);
    if (url === undefined) return bad("announces what is no URI");
    const own = isJsonObject(properties) ? properties[uri] : undefined;
    const member = memberOf({
      host: url.host,
      port: url.port,
      weight: weightFrom(weight),
      path,
      metadata: { ...(isJsonObject(own) && own), clusterName, uri },
    });
    if (member.kind !== "member") return member;
    endpoints.push(...member.endpoints);
  }
  return { kind: "member", endpoints, identity: `uris ${endpoints.map(({ id }) => id).join(" ")}` };
}
