// SPDX-License-Identifier: Apache-2.0
// rpcx, to read: `/BASE/SERVICE/tcp@10.0.0.5:8972`, data a query such as `weight=10&group=a&state=inactive`.
import { nodeName } from "@meerkat/client";
import type { InstanceDecoder } from "../instance-codec.ts";
import { addressFrom, bad, INSTANCE_BYTES_MAX, memberOf, weightFrom } from "./member-data.ts";

const NAME_PATTERN = /^([a-z0-9]+)@(.+)$/i;

/** See the head of the file. An instance that is "inactive" has weight 0. */
export const rpcxDecoder: InstanceDecoder = {
  name: "rpcx",
  servicesRoot: "/rpcx",
  isMember: (name) => NAME_PATTERN.test(name),
  decode(path, data) {
    const [, network = "", text = ""] = NAME_PATTERN.exec(nodeName(path)) ?? [];
    const address = addressFrom(text);
    if (address === undefined) return bad("its name is no network@host:port");
    if (data.length > INSTANCE_BYTES_MAX) return bad(`larger than ${INSTANCE_BYTES_MAX} bytes`);
    const query = Object.fromEntries(new URLSearchParams(data.toString("utf8")));
    const { weight, ...params } = query;
    return memberOf({
      ...address,
      weight: params["state"] === "inactive" ? 0 : weightFrom(weight),
      path,
      metadata: { ...params, network },
    });
  },
};
