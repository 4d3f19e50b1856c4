// SPDX-License-Identifier: Apache-2.0
// Airbnb Nerve's layout, which SmartStack, Prometheus (`nerve_sd_configs`) and Alloy read: ephemeral
// sequential children, by habit under `/nerve/services/NAME/services`, with data
// `{"host":"10.0.0.5","port":8080,"name":"i-1234","weight":10}`. `name` is the instance's id.
import { assertInstance, type InstanceFields } from "../instance.ts";
import type { DecodedMember, EncodedInstance, InstanceCodec } from "../instance-codec.ts";
import {
  assertIntegerWeight,
  assertRewritable,
  bad,
  editableObject,
  instanceData,
  invalidInstance,
  jsonText,
  memberOf,
  parseJsonObject,
  textFrom,
  znodeName,
} from "./member-data.ts";

function idOf({ id, host, port }: InstanceFields): string {
  return id ?? `${host}:${port}`;
}

function decode(path: string, data: Buffer): DecodedMember {
  if (data.length === 0) return { kind: "other" };
  const parsed = parseJsonObject(data);
  if (typeof parsed === "string") return bad(parsed);
  const { host, port, name, weight, ...metadata } = parsed;
  const id = textFrom(name);
  return memberOf({
    host,
    port,
    id,
    // As Nerve's own reader: integers only.
    weight: typeof weight === "number" && Number.isInteger(weight) && weight >= 0 ? weight : undefined,
    path,
    metadata,
    identity: `id ${id ?? `${String(host)}:${String(port)}`}`,
  });
}

function encode(instance: InstanceFields): EncodedInstance {
  assertInstance(instance);
  assertIntegerWeight(instance, "nerve");
  const { host, port, id: _id, weight, name, ...fields } = instance;
  if (name !== undefined) throw invalidInstance("the layout nerve keeps the id in name: give id only");
  const id = idOf(instance);
  const text = jsonText("the instance", { host, port, name: id, weight, ...fields }) as string;
  return { name: `${znodeName(id)}_`, mode: "ephemeralSequential", data: instanceData(text) };
}

function rewrite(data: Buffer, changes: Readonly<Record<string, unknown>>): Buffer {
  assertRewritable(changes);
  if ("name" in changes) throw invalidInstance("name is the id, which cannot be changed");
  assertIntegerWeight(changes as InstanceFields, "nerve");
  const object = editableObject(data);
  for (const [key, value] of Object.entries(changes)) object.set(key, jsonText(key, value));
  return instanceData(object.toString());
}

/** See the head of the file. */
export const nerveCodec: InstanceCodec = {
  name: "nerve",
  servicesRoot: "/nerve/services",
  membersName: "services",
  isMember: () => true,
  identity: (instance) => `id ${idOf(instance)}`,
  decode,
  encode,
  rewrite,
};
