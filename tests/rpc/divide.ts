// SPDX-License-Identifier: Apache-2.0
// The seed's service, and its bytes, for the tests of both ends.
import {
  arg,
  type CallContext,
  defineService,
  f32,
  InvalidOperation,
  i32,
  implement,
  RpcServer,
  type RpcServerOptions,
  type ServiceContract,
  type ServiceImplementation,
} from "@meerkat/rpc";

const definitions = {
  divide: {
    args: { num1: arg(1, i32), num2: arg(2, i32, { default: 1 }) },
    result: f32,
    errors: [InvalidOperation],
    idempotent: true,
  },
} as const;

export const Divide: ServiceContract<typeof definitions> = defineService("divide", definitions);

/** What a divide handler may be in a test. */
export type DivideHandler = (
  args: { readonly num1: number; readonly num2: number },
  context: CallContext,
) => number | Promise<number>;

export const divide: DivideHandler = ({ num1, num2 }) => {
  if (num2 === 0) throw new InvalidOperation();
  return num1 / num2;
};

export function divideService(handler: DivideHandler = divide): ServiceImplementation {
  return implement(Divide, { divide: handler });
}

/** A divide server on a free port. */
export function listen(
  handler: DivideHandler = divide,
  options: Partial<RpcServerOptions> = {},
): Promise<RpcServer> {
  return RpcServer.listen({ services: [divideService(handler)], ...options });
}

/** A request as the seed's client writes it: two length-prefixed blocks. */
export function request(method: string, args: Buffer): Buffer {
  const name = Buffer.from(method);
  const bytes = Buffer.alloc(8 + name.length + args.length);
  bytes.writeUInt32BE(name.length);
  name.copy(bytes, 4);
  bytes.writeUInt32BE(args.length, 4 + name.length);
  args.copy(bytes, 8 + name.length);
  return bytes;
}

/** `divide(num1, num2)`, both arguments on the wire. */
export function divideRequest(num1: number, num2: number): Buffer {
  const args = Buffer.alloc(10);
  args.writeUInt8(1);
  args.writeInt32BE(num1, 1);
  args.writeUInt8(2, 5);
  args.writeInt32BE(num2, 6);
  return request("divide", args);
}

/** The reply with a result. */
export function result(value: number): Buffer {
  const bytes = Buffer.alloc(5, 1);
  bytes.writeFloatBE(value, 1);
  return bytes;
}

/** The reply with an error. */
export function error(text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(5, 2);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
