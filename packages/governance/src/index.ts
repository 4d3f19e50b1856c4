// SPDX-License-Identifier: Apache-2.0
export type { Balancer, Picker, PickRequest } from "./balancing/balancer.ts";
export {
  type ConsistentHashOptions,
  maglevBalancer,
  rendezvousBalancer,
  ringHashBalancer,
} from "./balancing/consistent-hash.ts";
export {
  type AttemptVerdict,
  EndpointPool,
  type EndpointPoolOptions,
  NO_SLOT,
  type PoolView,
} from "./balancing/endpoint-pool.ts";
export { leastLoadedBalancer, peakEwmaBalancer } from "./balancing/p2c.ts";
export { randomBalancer } from "./balancing/random.ts";
export { roundRobinBalancer, weightedRoundRobinBalancer } from "./balancing/round-robin.ts";
export type { Directory, DirectoryListener, DirectoryStatus } from "./directory.ts";
export type { DirectoryCache } from "./discovery/directory-cache.ts";
export { type EndpointFields, StaticDirectory } from "./discovery/static-directory.ts";
export { ZooKeeperDirectory, type ZooKeeperDirectoryOptions } from "./discovery/zookeeper-directory.ts";
export {
  type DirectoryChange,
  type Endpoint,
  type EndpointSet,
  emptyEndpointSet,
  endpoint,
  endpointDifference,
  endpointKey,
  WEIGHT_DEFAULT,
} from "./endpoint.ts";
export {
  GovernanceError,
  type GovernanceErrorCode,
  type GovernanceErrorContext,
  isGovernanceError,
} from "./errors.ts";
export { armeriaDecoder } from "./registry/codecs/armeria-decoder.ts";
export { codecByName, layoutNames } from "./registry/codecs/codec-by-name.ts";
export { type CuratorCodecOptions, curatorCodec } from "./registry/codecs/curator-codec.ts";
export { type D2DecoderOptions, d2Decoder } from "./registry/codecs/d2-decoder.ts";
export { type Dubbo2CodecOptions, dubbo2Codec } from "./registry/codecs/dubbo2-codec.ts";
export { kitexDecoder } from "./registry/codecs/kitex-decoder.ts";
export { type KratosDecoderOptions, kratosDecoder } from "./registry/codecs/kratos-decoder.ts";
export { motanDecoder } from "./registry/codecs/motan-decoder.ts";
export { nerveCodec } from "./registry/codecs/nerve-codec.ts";
export { rpcxDecoder } from "./registry/codecs/rpcx-decoder.ts";
export { type ServerSetCodecOptions, serverSetCodec } from "./registry/codecs/serverset-codec.ts";
export {
  type ServerSetWeight,
  serverSetWeightCodec,
  serverSetWeights,
} from "./registry/codecs/serverset-weights.ts";
export { sofaRpcDecoder } from "./registry/codecs/sofarpc-decoder.ts";
export { dubbo3Codec, springCodec } from "./registry/codecs/zookeeper-instance-codec.ts";
export { type InstanceFields, instanceIdentity } from "./registry/instance.ts";
export {
  type DecodedMember,
  type EncodeContext,
  type EncodedInstance,
  type InstanceCodec,
  type InstanceDecoder,
  isInstanceCodec,
} from "./registry/instance-codec.ts";
export {
  LayeredRegistration,
  type LayoutTarget,
  registerInLayouts,
} from "./registry/layered-registration.ts";
export { type RegisterOptions, Registrar, type RegistrarOptions } from "./registry/registrar.ts";
export { Registration, type RegistrationState } from "./registry/registration.ts";
export {
  Registry,
  type RegistryOptions,
  type ServiceChoice,
  type ServiceListing,
} from "./registry/registry.ts";
export { type RewriteOptions, rewriteMember } from "./registry/rewrite-member.ts";
export { seedCodec } from "./registry/seed-codec.ts";
export type {
  Attempt,
  AttemptEvent,
  AttemptOutcome,
  EndpointReport,
  ServiceCallerOptions,
  ServiceCallOptions,
} from "./resilience/attempt.ts";
export type { AttemptContext } from "./resilience/call-scope.ts";
export { connectProbe } from "./resilience/connect-probe.ts";
export type { EndpointHealthOptions, EndpointProbe } from "./resilience/endpoint-health.ts";
export { RetryBudget, type RetryBudgetOptions } from "./resilience/retry-budget.ts";
export { ServiceCaller } from "./resilience/service-caller.ts";
