// SPDX-License-Identifier: Apache-2.0
// Armeria's legacy layout, to read: children of any root with the text `host:port` or `host:port:weight`.
import type { InstanceDecoder } from "../instance-codec.ts";
import { addressFrom, bad, memberOf } from "./member-data.ts";

/** Armeria's weight for who says none. */
const WEIGHT_DEFAULT = 1_000;
/** A name of 255 characters, a port and a weight fit. */
const TEXT_BYTES_MAX = 300;

/** See the head of the file. */
export const armeriaDecoder: InstanceDecoder = {
  name: "armeria",
  isMember: () => true,
  decode(path, data) {
    if (data.length === 0) return { kind: "other" };
    if (data.length > TEXT_BYTES_MAX) return bad("longer than an address");
    const text = data.toString("utf8");
    // An IPv6 address has colons of its own, so it stands in brackets.
    const [, addressText = "", weightText] = /^(\[[^\]]+\]:\d+|[^:]+:\d+)(?::(\d{1,9}))?$/.exec(text) ?? [];
    const address = addressFrom(addressText);
    if (address === undefined) return bad("not host:port[:weight]");
    const weight = weightText === undefined ? WEIGHT_DEFAULT : Number(weightText);
    return memberOf({ ...address, weight, path, metadata: {} });
  },
};
