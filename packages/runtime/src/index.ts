// SPDX-License-Identifier: Apache-2.0
export { AsyncQueue } from "./async-queue.ts";
export { Backoff, type BackoffOptions } from "./backoff.ts";
export type { Clock, Timer } from "./clock.ts";
export {
  CodedError,
  type CodedErrorOptions,
  type Effect,
  errorFrom,
  InvalidArgumentError,
  isCodedError,
} from "./coded-error.ts";
export { type Deferred, deferred } from "./deferred.ts";
export { Emitter } from "./emitter.ts";
export type { FileInfo, FileStore, OpenFile, OpenFileOptions, OpenMode } from "./files.ts";
export { type LogFunction, type Logger, silentLogger } from "./logger.ts";
export type { ConnectTarget, Listener, ListenTarget, Net, Socket, SocketHandler } from "./net.ts";
export { type Random, randomInt, randomUuid, seededRandom } from "./random.ts";
export { type Runtime, resolveRuntime, systemRuntime } from "./runtime.ts";
export { systemFiles } from "./system/files.ts";
export type { TlsClientOptions, TlsServerOptions } from "./tls.ts";
export { sleep, untilAborted, withTimeout } from "./wait.ts";
