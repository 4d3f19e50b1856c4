// SPDX-License-Identifier: Apache-2.0
export type { ConnectionPoolStats } from "./client/connection-pool.ts";
export { type ConnectionSettings, connectionDefaults, type RpcClientOptions } from "./client/options.ts";
export {
  type ClientMethod,
  createRpcClient,
  type RpcCallOptions,
  type RpcClient,
  type RpcClientControl,
} from "./client/rpc-client.ts";
export {
  type ArgumentContract,
  type ArgumentDefinition,
  type ArgumentDefinitions,
  type ArgumentPresence,
  arg,
  type CallArguments,
  defineService,
  type HandlerArguments,
  type MethodContract,
  type MethodDefinition,
  type MethodDefinitions,
  type ResultOf,
  type ServiceContract,
} from "./contract.ts";
export {
  type CallTiming,
  type DeclaredErrorClass,
  InvalidOperation,
  type InvalidOperationOptions,
  isRpcError,
  RpcError,
  type RpcErrorCode,
  type RpcErrorContext,
  type RpcErrorOptions,
} from "./errors.ts";
export {
  type CallContext,
  type Handler,
  type Handlers,
  implement,
  type ServiceImplementation,
} from "./server/implement.ts";
export { type RpcServerOptions, type RpcServerSettings, rpcServerDefaults } from "./server/options.ts";
export { RpcServer, type RpcServerCloseOptions } from "./server/rpc-server.ts";
export type { RpcServerStats } from "./server/stats.ts";
export { f32, i32, type ValueType } from "./value-type.ts";
