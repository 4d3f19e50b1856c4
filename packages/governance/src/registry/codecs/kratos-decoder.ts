// SPDX-License-Identifier: Apache-2.0
// Kratos, to read: `/microservices/NAME/ID`, data
// `{"id":"i-1","name":"orders","version":"1","metadata":{},"endpoints":["grpc://10.0.0.5:9000"]}`.
import type { InstanceDecoder } from "../instance-codec.ts";
import { bad, isJsonObject, memberOf, parseJsonObject, textFrom, weightFrom } from "./member-data.ts";
import { parseServiceUrl } from "./service-url.ts";

/** Options of `kratosDecoder`. */
export interface KratosDecoderOptions {
  /** Takes the endpoint of this scheme ("grpc", "http"); default the first one. */
  readonly scheme?: string | undefined;
}

/** See the head of the file. */
export function kratosDecoder({ scheme }: KratosDecoderOptions = {}): InstanceDecoder {
  return {
    name: "kratos",
    servicesRoot: "/microservices",
    isMember: () => true,
    decode(path, data) {
      if (data.length === 0) return { kind: "other" };
      const parsed = parseJsonObject(data);
      if (typeof parsed === "string") return bad(parsed);
      const { id: givenId, endpoints, metadata, name, version } = parsed;
      if (!Array.isArray(endpoints)) return bad("has no endpoints");
      const urls = (endpoints as readonly unknown[])
        .map((item) => (typeof item === "string" ? parseServiceUrl(item) : undefined))
        .filter((url) => url !== undefined);
      const url = scheme === undefined ? urls[0] : urls.find(({ protocol }) => protocol === scheme);
      if (url === undefined) return urls.length === 0 ? bad("has no usable endpoint") : { kind: "other" };
      const fields = isJsonObject(metadata) ? metadata : {};
      const id = textFrom(givenId);
      return memberOf({
        host: url.host,
        port: url.port,
        id,
        weight: weightFrom(fields["weight"]),
        path,
        metadata: { ...fields, name, version, scheme: url.protocol },
      });
    },
  };
}
