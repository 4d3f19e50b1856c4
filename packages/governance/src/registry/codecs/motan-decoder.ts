// SPDX-License-Identifier: Apache-2.0
// Motan, to read: `/motan/GROUP/SERVICE/server/HOST:PORT`, data the service's URL. Motan's Java client
// writes it as a serialized Java string: four bytes of head, a type byte and a length before the text.
// Services are named by their root here (`/motan/GROUP/SERVICE/server`): they have two names.
import { nodeName } from "@meerkat/client";
import type { InstanceDecoder } from "../instance-codec.ts";
import { addressFrom, bad, INSTANCE_BYTES_MAX, memberOf, weightFrom } from "./member-data.ts";
import { javaUrlDecode, parseServiceUrl } from "./service-url.ts";

/** Head of a serialized `java.lang.String`: stream magic, version 5, TC_STRING. */
const JAVA_STRING_HEAD = Buffer.from([0xac, 0xed, 0x00, 0x05, 0x74]);
/** The head and two bytes of length. */
const JAVA_STRING_START = JAVA_STRING_HEAD.length + 2;

function textOf(data: Buffer): string {
  const isJava =
    data.length >= JAVA_STRING_START && data.subarray(0, JAVA_STRING_HEAD.length).equals(JAVA_STRING_HEAD);
  return data.toString("utf8", isJava ? JAVA_STRING_START : 0);
}

/** See the head of the file. The name has the address; the URL adds what else is known. */
export const motanDecoder: InstanceDecoder = {
  name: "motan",
  servicesRoot: "/motan",
  membersName: "server",
  isMember: (name) => addressFrom(name) !== undefined,
  decode(path, data) {
    const address = addressFrom(nodeName(path));
    if (address === undefined) return { kind: "other" };
    if (data.length > INSTANCE_BYTES_MAX) return bad(`larger than ${INSTANCE_BYTES_MAX} bytes`);
    const url = parseServiceUrl(textOf(data));
    if (url === undefined)
      return data.length === 0 ? memberOf({ ...address, path, metadata: {} }) : bad("no URL");
    const params = Object.entries(url.params).map(([key, value]) => [key, javaUrlDecode(value) ?? value]);
    const { weight, ...metadata } = Object.fromEntries(params) as Record<string, string>;
    return memberOf({
      ...address,
      weight: weightFrom(weight),
      path,
      metadata: { ...metadata, protocol: url.protocol, path: url.path },
    });
  },
};
