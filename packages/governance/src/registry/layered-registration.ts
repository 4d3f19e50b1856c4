// SPDX-License-Identifier: Apache-2.0
// One process in several layouts at once, while its users move from one to another.
import type { InstanceFields } from "./instance.ts";
import type { RegisterOptions, Registrar } from "./registrar.ts";
import type { Registration, RegistrationState } from "./registration.ts";

/** One of the layouts to register in. */
export interface LayoutTarget {
  /** Has the root and the codec. Stays the caller's. */
  readonly registrar: Registrar;
  /** Fields for this layout only, laid over the instance's; undefined leaves one out. */
  readonly fields?: Partial<InstanceFields> | undefined;
}

/** The registrations of one instance as one thing. Made by `registerInLayouts`. */
export class LayeredRegistration implements AsyncDisposable {
  /** In the order of the targets. */
  readonly registrations: readonly Registration[];
  readonly #targets: readonly LayoutTarget[];

  /** @internal */
  constructor(registrations: readonly Registration[], targets: readonly LayoutTarget[]) {
    this.registrations = registrations;
    this.#targets = targets;
  }

  /** "up" only when it is up in all layouts; otherwise the state of the first where it is not. */
  get state(): RegistrationState {
    return this.registrations.find(({ state }) => state !== "up")?.state ?? "up";
  }

  /**
   * `Registration.updateInstance` in all layouts; a target's own fields win. All are tried; rejects with
   * the first failure.
   */
  async updateInstance(
    changes: Partial<InstanceFields>,
    options: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined } = {},
  ): Promise<void> {
    const results = await Promise.allSettled(
      this.registrations.map((registration, index) =>
        registration.updateInstance({ ...changes, ...this.#targets[index]?.fields }, options),
      ),
    );
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** Deregisters in all layouts. Idempotent. */
  async close(): Promise<void> {
    await Promise.all(this.registrations.map((registration) => registration.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Registers an instance in several layouts. Resolves when it is in all of them; rejects as
 * `Registrar.register` does, and then it is in none.
 */
export async function registerInLayouts(
  targets: readonly LayoutTarget[],
  instance: InstanceFields,
  options: RegisterOptions = {},
): Promise<LayeredRegistration> {
  const results = await Promise.allSettled(
    targets.map(({ registrar, fields }) =>
      registrar.register({ ...instance, ...fields } as InstanceFields, options),
    ),
  );
  const done = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failure = results.find((result) => result.status === "rejected");
  if (failure === undefined) return new LayeredRegistration(done, targets);
  await Promise.all(done.map((registration) => registration.close()));
  throw failure.reason;
}
