// SPDX-License-Identifier: Apache-2.0
// SOFARPC, to read: `/sofa-rpc/INTERFACE/providers/NAME`, NAME the encoded `bolt://HOST:PORT?PARAMS`.
import { nodeName } from "@meerkat/client";
import type { InstanceDecoder } from "../instance-codec.ts";
import { bad, memberOf, weightFrom } from "./member-data.ts";
import { javaUrlDecode, parseServiceUrl } from "./service-url.ts";

/** SOFARPC's weight for who says none. */
const WEIGHT_DEFAULT = 100;

/** See the head of the file. */
export const sofaRpcDecoder: InstanceDecoder = {
  name: "sofarpc",
  servicesRoot: "/sofa-rpc",
  membersName: "providers",
  isMember: (name) => /^[a-z][a-z0-9+.-]*%3A%2F%2F/i.test(name),
  decode(path) {
    const url = parseServiceUrl(javaUrlDecode(nodeName(path)) ?? "");
    if (url === undefined) return bad("its name is no URL");
    const { weight, ...metadata } = url.params;
    return memberOf({
      host: url.host,
      port: url.port,
      weight: weightFrom(weight) ?? WEIGHT_DEFAULT,
      path,
      metadata: { ...metadata, protocol: url.protocol },
    });
  },
};
