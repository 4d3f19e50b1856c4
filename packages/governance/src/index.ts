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
export { type InstanceFields, instanceIdentity } from "./registry/instance.ts";
export type { DecodedMember, EncodedInstance, InstanceCodec } from "./registry/instance-codec.ts";
export { type RegisterOptions, Registrar, type RegistrarOptions } from "./registry/registrar.ts";
export { Registration, type RegistrationState } from "./registry/registration.ts";
export {
  Registry,
  type RegistryOptions,
  type ServiceChoice,
  type ServiceListing,
} from "./registry/registry.ts";
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
