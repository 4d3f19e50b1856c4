// SPDX-License-Identifier: Apache-2.0
// Spring Cloud Zookeeper and Dubbo 3 (application level): Curator's frame with the same payload, a class
// `ZookeeperInstance` of id, name and a map of texts. The instance's own fields go to that map.
import type { InstanceCodec } from "../instance-codec.ts";
import { JsonObjectText } from "./json-object-text.ts";
import { invalidInstance, isJsonObject, type JsonObject, plainText } from "./member-data.ts";
import { type PayloadShape, type XDiscoveryInstance, xDiscoveryCodec } from "./x-discovery-codec.ts";

interface Variant {
  readonly payloadClass: string;
  /** The payload's own id. */
  payloadId(instance: XDiscoveryInstance): string;
  /** Entries of the map that are written where none are given. */
  defaults(instance: XDiscoveryInstance): JsonObject;
  isOut(fields: JsonObject): boolean;
  readonly weightDefault?: number | undefined;
}

function payloadShape(variant: Variant): PayloadShape {
  const { weightDefault, isOut } = variant;
  return {
    layoutKeys: ["payloadId"],
    weightDefault,
    isOut,
    read(payload) {
      if (!isJsonObject(payload)) return { fields: {}, layout: {} };
      const fields = isJsonObject(payload["metadata"]) ? payload["metadata"] : {};
      const { id } = payload;
      return { fields, layout: typeof id === "string" ? { payloadId: id } : {} };
    },
    write(instance) {
      const { fields, layout, service } = instance;
      const { payloadId = variant.payloadId(instance) } = layout;
      const entries = Object.entries({ ...variant.defaults(instance), ...fields })
        .map(([key, value]) => [key, plainText(key, value)] as const)
        .filter(([, value]) => value !== undefined);
      const metadata = Object.fromEntries(entries);
      return { "@class": variant.payloadClass, id: payloadId, name: service, metadata };
    },
    rewrite(payloadText, changes) {
      const payload = JsonObjectText.parse(payloadText ?? "");
      const metadata = JsonObjectText.parse(payload?.get("metadata") ?? "{}");
      if (payload === undefined || metadata === undefined) {
        throw invalidInstance("its payload is not of this layout");
      }
      for (const [key, value] of Object.entries(changes)) {
        const text = plainText(key, value);
        metadata.set(key, text === undefined ? undefined : JSON.stringify(text));
      }
      payload.set("metadata", metadata.toString());
      return payload.toString();
    },
  };
}

/** `{scheme}://{address}:{port}`, as Spring registers it. */
const SPRING_URI_SPEC = {
  parts: [
    { value: "scheme", variable: true },
    { value: "://", variable: false },
    { value: "address", variable: true },
    { value: ":", variable: false },
    { value: "port", variable: true },
  ],
};

/**
 * Spring Cloud Zookeeper: `/services/APP/ID`. The field `instance_status` other than "UP" keeps Spring's
 * clients away, and ours: such an endpoint has weight 0.
 */
export const springCodec: InstanceCodec = xDiscoveryCodec({
  name: "spring",
  uriSpec: SPRING_URI_SPEC,
  shape: payloadShape({
    payloadClass: "org.springframework.cloud.zookeeper.discovery.ZookeeperInstance",
    payloadId: ({ service, port }) => `${service}:${port}`,
    defaults: () => ({ instance_status: "UP" }),
    isOut: ({ instance_status: status }) => status !== undefined && status !== "UP",
  }),
});

/**
 * Dubbo 3, application level: `/services/APPLICATION/HOST:PORT`. Fields are Dubbo's own keys
 * ("dubbo.endpoints", "dubbo.metadata.revision", …); without a revision Dubbo's consumers ignore the
 * instance. Dubbo's weight 100 stands for none.
 */
export const dubbo3Codec: InstanceCodec = xDiscoveryCodec({
  name: "dubbo3",
  uriSpec: null,
  shape: payloadShape({
    payloadClass: "org.apache.dubbo.registry.zookeeper.ZookeeperInstance",
    payloadId: ({ host, port }) => `${host}:${port}`,
    defaults: ({ registeredAtMs }) => ({ timestamp: String(registeredAtMs) }),
    isOut: () => false,
    weightDefault: 100,
  }),
});
