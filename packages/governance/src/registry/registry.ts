// SPDX-License-Identifier: Apache-2.0
// The front door: one ZooKeeper client, any number of registrations and directories over it.
//
// Layout of many services. A service is a root znode whose children are its instances. The default root
// ("/rpc", the seed's) is one service, named after its last segment ("rpc"). Any other service NAME has
// the root `/services/NAME`. A name that starts with "/" is a root itself. Other layouts have habits of
// their own, which the codec knows (Dubbo 2: `/dubbo/NAME/providers`), and no default service.
import {
  type Acl,
  isZooKeeperError,
  joinPath,
  nodeName,
  ZooKeeperClient,
  type ZooKeeperClientOptions,
} from "@meerkat/client";
import { InvalidArgumentError, type Runtime } from "@meerkat/runtime";
import { ZooKeeperDirectory, type ZooKeeperDirectoryOptions } from "../discovery/zookeeper-directory.ts";
import { GovernanceError } from "../errors.ts";
import type { InstanceFields } from "./instance.ts";
import { type InstanceDecoder, isInstanceCodec } from "./instance-codec.ts";
import { type RegisterOptions, Registrar } from "./registrar.ts";
import type { Registration } from "./registration.ts";
import { seedCodec } from "./seed-codec.ts";

/** Options of a `Registry`. */
export interface RegistryOptions {
  /** Root of the default service; default "/rpc", in layouts other than the seed's none. */
  readonly root?: string | undefined;
  /** Parent of all other services; default is the layout's habit, "/services" for the seed's. */
  readonly servicesRoot?: string | undefined;
  /** The layout; default the seed's. One that can only be read gives directories, but no registrations. */
  readonly codec?: InstanceDecoder | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
  /** ACL of what is created; default open to everyone, as the seed's. */
  readonly acl?: readonly Acl[] | undefined;
}

/** One line of `Registry.services`. */
export interface ServiceListing {
  /** What `register` and `directory` take as `service`. */
  readonly name: string;
  readonly root: string;
  /** Children of the root, whether or not they can be understood. */
  readonly instances: number;
}

/** Names a service where the default one is not meant. */
export interface ServiceChoice {
  /** See the head of the file; default: the service of `RegistryOptions.root`. */
  readonly service?: string | undefined;
}

/** Registers and finds services. */
export class Registry implements AsyncDisposable {
  /** The client underneath, for everything else. */
  readonly client: ZooKeeperClient;
  readonly root: string;
  /** Parent of all services but the default one. */
  readonly servicesRoot: string;
  /** Whether there is a default service. */
  readonly hasDefaultService: boolean;
  readonly #options: RegistryOptions;
  readonly #codec: InstanceDecoder;
  readonly #registrars = new Map<string, Registrar>();
  readonly #directories = new Set<ZooKeeperDirectory>();
  readonly #ownsClient: boolean;
  #closed: Promise<void> | undefined;

  /** Over a client of the caller's, which stays open when the registry closes. */
  constructor(client: ZooKeeperClient, options: RegistryOptions = {}, ownsClient: boolean = false) {
    this.client = client;
    this.root = options.root ?? "/rpc";
    this.#codec = options.codec ?? seedCodec;
    this.hasDefaultService = options.root !== undefined || this.#codec.name === seedCodec.name;
    this.servicesRoot = options.servicesRoot ?? this.#codec.servicesRoot ?? "/services";
    this.#options = options;
    this.#ownsClient = ownsClient;
  }

  /** Connects a client of its own. Rejects as `ZooKeeperClient.connect` does. */
  static async connect(
    options: ZooKeeperClientOptions & RegistryOptions,
    call: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined } = {},
  ): Promise<Registry> {
    const { root, servicesRoot, codec, acl, ...clientOptions } = options;
    const client = await ZooKeeperClient.connect(clientOptions, call);
    return new Registry(client, { root, servicesRoot, codec, acl, runtime: options.runtime }, true);
  }

  /** The root znode of a service. */
  rootOf(service?: string): string {
    if (this.hasDefaultService) {
      if (service === undefined || service === nodeName(this.root)) return this.root;
    } else if (service === undefined) {
      throw new InvalidArgumentError(
        "service",
        `the layout ${this.#codec.name} has no default service: name one`,
      );
    }
    if (service.startsWith("/")) return service;
    if (service.length === 0 || service.includes("/")) {
      throw new InvalidArgumentError(
        "service",
        `a service is named by one word, or by its root znode starting with "/", got "${service}"`,
      );
    }
    return this.#rootOfOther(service);
  }

  /** Registers an instance; see `Registrar.register`. Rejects with `INVALID_INSTANCE` in a layout to read only. */
  async register(
    instance: InstanceFields,
    options: RegisterOptions & ServiceChoice = {},
  ): Promise<Registration> {
    const codec = this.#codec;
    if (!isInstanceCodec(codec)) {
      throw new GovernanceError(`the layout ${codec.name} can only be read`, { code: "INVALID_INSTANCE" });
    }
    const root = this.rootOf(options.service);
    let registrar = this.#registrars.get(root);
    if (registrar === undefined) {
      const { runtime, acl } = this.#options;
      registrar = new Registrar({ client: this.client, root, codec, runtime, acl });
      this.#registrars.set(root, registrar);
    }
    return registrar.register(instance, options);
  }

  /** Opens a live directory; see `ZooKeeperDirectory.open`. It closes with the registry. */
  async directory(options: ZooKeeperDirectoryOptions & ServiceChoice = {}): Promise<ZooKeeperDirectory> {
    const { codec, runtime } = this.#options;
    const root = options.root ?? this.rootOf(options.service);
    const directory = await ZooKeeperDirectory.open(this.client, { codec, runtime, ...options, root });
    for (const earlier of this.#directories) if (earlier.closed) this.#directories.delete(earlier);
    this.#directories.add(directory);
    return directory;
  }

  /**
   * All services, the default one first if its root exists, the others by name. What is empty is listed
   * too: its root stays when its last instance leaves. `withMissingRoots` adds services that have a znode,
   * but none for their members yet.
   */
  async services(
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly timeoutMs?: number | undefined;
      readonly withMissingRoots?: boolean | undefined;
    } = {},
  ): Promise<ServiceListing[]> {
    const { withMissingRoots = false, ...call } = options;
    const own = this.hasDefaultService
      ? await this.#listing(nodeName(this.root), this.root, call)
      : undefined;
    const names = await this.#names(call);
    const others = await Promise.all(
      names.map(async (name): Promise<ServiceListing | undefined> => {
        const root = this.#rootOfOther(name);
        const missing = withMissingRoots ? { name, root, instances: 0 } : undefined;
        return (await this.#listing(name, root, call)) ?? missing;
      }),
    );
    const byRoot = new Map<string, ServiceListing>();
    for (const listing of [own, ...others]) {
      if (listing !== undefined && !byRoot.has(listing.root)) byRoot.set(listing.root, listing);
    }
    return [...byRoot.values()];
  }

  /** Deregisters everything, closes the directories, then the client if it is the registry's own. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#registrars.values()].map((registrar) => registrar.close()));
    await Promise.all([...this.#directories].map((directory) => directory.close()));
    if (this.#ownsClient) await this.client.close();
  }

  #rootOfOther(service: string): string {
    const { membersName } = this.#codec;
    const own = joinPath(this.servicesRoot, service);
    return membersName === undefined ? own : joinPath(own, membersName);
  }

  async #names(options: { readonly signal?: AbortSignal | undefined }): Promise<string[]> {
    try {
      return (await this.client.children(this.servicesRoot, options)).children.sort();
    } catch (error) {
      if (isZooKeeperError(error, "NO_NODE")) return [];
      throw error;
    }
  }

  async #listing(
    name: string,
    root: string,
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<ServiceListing | undefined> {
    const stat = await this.client.exists(root, options);
    return stat === null ? undefined : { name, root, instances: stat.numChildren };
  }
}
