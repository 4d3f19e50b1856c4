// SPDX-License-Identifier: Apache-2.0
// Registers instances under one root and knows what its registrations have in common: the root, the
// layout, the sessions that were ours.
import type { Acl, ZooKeeperClient } from "@meerkat/client";
import { type Runtime, resolveRuntime } from "@meerkat/runtime";
import { GovernanceError } from "../errors.ts";
import { type InstanceFields, instanceIdentity } from "./instance.ts";
import type { InstanceCodec } from "./instance-codec.ts";
import { MemberScan } from "./member-scan.ts";
import { Registration } from "./registration.ts";
import { seedCodec } from "./seed-codec.ts";

/** Options of a `Registrar`. */
export interface RegistrarOptions {
  readonly client: ZooKeeperClient;
  /** The znode to register under; default "/rpc". Created when missing. */
  readonly root?: string | undefined;
  /** The layout; default the seed's. */
  readonly codec?: InstanceCodec | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
  /** ACL of the root, when it is created, and of the instances; default open to everyone, as the seed's. */
  readonly acl?: readonly Acl[] | undefined;
  /**
   * Members up to which the root is searched for what an earlier life of an instance left behind; default
   * 1,000. In larger ones it goes with its session, and directories show one address once anyway.
   */
  readonly scanMembersMax?: number | undefined;
}

/** Options of `Registrar.register`. */
export interface RegisterOptions {
  /** Ends the waiting for the first registration, and with it the registration. */
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for the first registration, ms; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** True returns at once, in state "starting"; default false. */
  readonly background?: boolean | undefined;
}

/** What a registration needs of its registrar. @internal */
export interface RegistrarShared {
  readonly client: ZooKeeperClient;
  readonly root: string;
  readonly codec: InstanceCodec;
  readonly runtime: Runtime;
  readonly acl: readonly Acl[] | undefined;
  readonly scan: MemberScan;
  readonly scanMembersMax: number;
  /** Every session under which this registrar has created something. */
  readonly sessions: Set<bigint>;
  /** Znodes that belong to living registrations. */
  readonly claimed: Set<string>;
}

/** See the head of the file. */
export class Registrar implements AsyncDisposable {
  readonly root: string;
  readonly #shared: RegistrarShared;
  readonly #registrations = new Map<string, Registration>();
  #closed = false;

  /** The client stays the caller's: close it after the registrar. */
  constructor(options: RegistrarOptions) {
    const { client, root = "/rpc", codec = seedCodec, scanMembersMax = 1_000 } = options;
    this.root = root;
    this.#shared = {
      client,
      root,
      codec,
      runtime: resolveRuntime(options.runtime),
      acl: options.acl,
      scan: new MemberScan(client, root, codec),
      scanMembersMax,
      sessions: new Set(),
      claimed: new Set(),
    };
  }

  /** The registrations that are not closed. */
  get registrations(): readonly Registration[] {
    return [...this.#registrations.values()];
  }

  /**
   * Registers an instance and keeps it registered until the registration is closed. Resolves when its
   * znode exists. Rejects with `INVALID_INSTANCE`, `CONFLICT` (this registrar has it already), `CLOSED`,
   * `REGISTRATION_FAILED` (refused by ZooKeeper, or not done in time), or with the signal's reason; then
   * nothing stays registered.
   */
  async register(instance: InstanceFields, options: RegisterOptions = {}): Promise<Registration> {
    if (this.#closed) throw new GovernanceError("the registrar is closed", { code: "CLOSED" });
    const { codec } = this.#shared;
    const identity = codec.identity?.(instance) ?? instanceIdentity(instance);
    if (this.#registrations.has(identity)) {
      throw new GovernanceError(
        `the instance (${identity}) is already registered here under ${this.root}: close that registration, or use update`,
        { code: "CONFLICT", context: { source: this.root } },
      );
    }
    const registration = new Registration(this.#shared, instance, () => this.#registrations.delete(identity));
    this.#registrations.set(identity, registration);
    if (options.background === true) return registration;
    try {
      await registration.untilUp(options);
      return registration;
    } catch (error) {
      await registration.close();
      throw error;
    }
  }

  /** Deregisters everything. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.registrations.map((registration) => registration.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
