// SPDX-License-Identifier: Apache-2.0
// Curator x-discovery with a payload of any class. An instance's own fields become a payload object.
import type { InstanceCodec } from "../instance-codec.ts";
import { JsonObjectText } from "./json-object-text.ts";
import { invalidInstance, isJsonObject, jsonText } from "./member-data.ts";
import { type PayloadShape, type XDiscoveryInstance, xDiscoveryCodec } from "./x-discovery-codec.ts";

/** Options of `curatorCodec`. */
export interface CuratorCodecOptions {
  /**
   * The Java class that readers cast the payload to; default "java.util.LinkedHashMap", which suits
   * `ServiceDiscoveryBuilder.builder(Map.class)` and `Object.class`.
   */
  readonly payloadClass?: string | undefined;
}

const MAP_CLASS = "java.util.LinkedHashMap";
/** Where Jackson writes the class of an object. */
const CLASS_KEY = "@class";

function payloadShape(payloadClassDefault: string): PayloadShape {
  return {
    layoutKeys: ["payload", "payloadClass"],
    isOut: () => false,
    read(payload) {
      if (payload === null || payload === undefined) return { fields: {}, layout: {} };
      if (!isJsonObject(payload)) return { fields: {}, layout: { payload } };
      const { [CLASS_KEY]: payloadClass, ...fields } = payload;
      const isDefault = payloadClass === undefined || payloadClass === MAP_CLASS;
      return { fields, layout: isDefault ? {} : { payloadClass } };
    },
    write({ fields, layout }: XDiscoveryInstance) {
      const { payload, payloadClass = payloadClassDefault } = layout;
      const own = Object.entries(fields).filter(([, value]) => value !== undefined);
      if (payload !== undefined && own.length > 0) {
        throw invalidInstance(`with a payload of its own there is no room for ${own[0]![0]}`);
      }
      if (payload !== undefined) return payload;
      return own.length === 0 ? null : { [CLASS_KEY]: payloadClass, ...Object.fromEntries(own) };
    },
    rewrite(payloadText, changes) {
      const isMissing = payloadText === undefined || payloadText === "null";
      const empty = JSON.stringify({ [CLASS_KEY]: payloadClassDefault });
      const object = JsonObjectText.parse(isMissing ? empty : payloadText);
      if (object === undefined) throw invalidInstance("its payload is no object that could hold a field");
      for (const [key, value] of Object.entries(changes)) object.set(key, jsonText(key, value));
      return object.toString();
    },
  };
}

/** Makes a codec for Java readers that expect a class of their own as payload. */
export function curatorCodec(options: CuratorCodecOptions = {}): InstanceCodec {
  const shape = payloadShape(options.payloadClass ?? MAP_CLASS);
  return xDiscoveryCodec({ name: "curator", shape, uriSpec: null });
}
