// SPDX-License-Identifier: Apache-2.0
export { awaitCondition, timingMultiple } from "./await-condition.ts";
export {
  type EmbeddedZooKeeper,
  type EmbeddedZooKeeperOptions,
  startEmbeddedZooKeeper,
} from "./embedded-zookeeper.ts";
export { expireSession } from "./expire-session.ts";
export {
  type Direction,
  type Directions,
  FaultProxy,
  type FaultProxyOptions,
  type ProxyConnection,
  type ProxyTap,
} from "./fault-proxy.ts";
export { freePorts } from "./free-ports.ts";
export { findProgram, missingTools, type Tool, toolsAvailable } from "./missing-tools.ts";
export {
  type Program,
  type ProgramExit,
  type ProgramOptions,
  type PythonPeer,
  runProgram,
  runPython,
} from "./program.ts";
export { type RealZooKeeper, type RealZooKeeperOptions, startRealZooKeeper } from "./real-zookeeper.ts";
export type { RealZooKeeperMember } from "./real-zookeeper-member.ts";
export { type ScratchDir, scratchDir } from "./scratch-dir.ts";
export { TestkitError, type TestkitErrorCode } from "./testkit-error.ts";
export { VirtualClock } from "./virtual-clock.ts";
