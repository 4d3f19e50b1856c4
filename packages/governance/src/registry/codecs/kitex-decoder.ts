// SPDX-License-Identifier: Apache-2.0
// Kitex (registry-zookeeper), to read: `/SERVICE/HOST:PORT`, data `{"Weight":10,"Tags":{"k":"v"}}`.
import { nodeName } from "@meerkat/client";
import type { InstanceDecoder } from "../instance-codec.ts";
import { addressFrom, bad, isJsonObject, memberOf, parseJsonObject, weightFrom } from "./member-data.ts";

/** Kitex's weight for who says none. */
const WEIGHT_DEFAULT = 10;

/** See the head of the file. */
export const kitexDecoder: InstanceDecoder = {
  name: "kitex",
  servicesRoot: "/",
  isMember: (name) => addressFrom(name) !== undefined,
  decode(path, data) {
    const address = addressFrom(nodeName(path));
    if (address === undefined) return { kind: "other" };
    const parsed = parseJsonObject(data);
    if (typeof parsed === "string") return bad(parsed);
    const { Weight, Tags } = parsed;
    const weight = weightFrom(Weight);
    return memberOf({
      ...address,
      // Kitex takes 0 for "not said".
      weight: weight === undefined || weight === 0 ? WEIGHT_DEFAULT : weight,
      path,
      metadata: isJsonObject(Tags) ? { ...Tags } : {},
    });
  },
};
