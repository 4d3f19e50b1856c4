// SPDX-License-Identifier: Apache-2.0
// The layouts by the names that commands and configuration use.
import { InvalidArgumentError } from "@meerkat/runtime";
import type { InstanceDecoder } from "../instance-codec.ts";
import { seedCodec } from "../seed-codec.ts";
import { armeriaDecoder } from "./armeria-decoder.ts";
import { curatorCodec } from "./curator-codec.ts";
import { d2Decoder } from "./d2-decoder.ts";
import { dubbo2Codec } from "./dubbo2-codec.ts";
import { kitexDecoder } from "./kitex-decoder.ts";
import { kratosDecoder } from "./kratos-decoder.ts";
import { motanDecoder } from "./motan-decoder.ts";
import { nerveCodec } from "./nerve-codec.ts";
import { rpcxDecoder } from "./rpcx-decoder.ts";
import { serverSetCodec } from "./serverset-codec.ts";
import { sofaRpcDecoder } from "./sofarpc-decoder.ts";
import { dubbo3Codec, springCodec } from "./zookeeper-instance-codec.ts";

const LAYOUTS: readonly InstanceDecoder[] = [
  seedCodec,
  nerveCodec,
  curatorCodec(),
  springCodec,
  dubbo2Codec(),
  dubbo3Codec,
  serverSetCodec(),
  d2Decoder(),
  kitexDecoder,
  kratosDecoder(),
  rpcxDecoder,
  motanDecoder,
  sofaRpcDecoder,
  armeriaDecoder,
];

/** Names of all layouts, those that can be written first. */
export const layoutNames: readonly string[] = LAYOUTS.map(({ name }) => name);

/**
 * The layout of a name, with default options; `isInstanceCodec` says whether it can be written. Throws
 * `InvalidArgumentError` for an unknown name.
 */
export function codecByName(name: string): InstanceDecoder {
  const found = LAYOUTS.find((layout) => layout.name === name);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(
    "layout",
    `there is no layout "${name}": use one of ${layoutNames.join(", ")}`,
  );
}
