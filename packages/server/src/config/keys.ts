// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "./config-error.ts";
import { HONOURED_KEYS } from "./known-keys.ts";

/** The typed values of a configuration's keys. Each key is also known as a system property, `zookeeper.KEY`. */
export class Keys {
  readonly #properties: ReadonlyMap<string, string>;

  constructor(properties: ReadonlyMap<string, string>) {
    this.#properties = properties;
  }

  text(key: string): string | undefined {
    if (!HONOURED_KEYS.has(key)) throw new Error(`${key} is missing in the list of honoured keys`);
    return this.#properties.get(key) ?? this.#properties.get(`zookeeper.${key}`);
  }

  integer(key: string): number | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    // Java's `Long.decode` and friends also take hex; zoo.cfg files use it for jute.maxbuffer.
    const number = /^-?(0x[0-9a-fA-F]+|\d+)$/.test(value) ? Number(value.replace(/^-/, "")) : Number.NaN;
    if (!Number.isSafeInteger(number)) {
      throw new ConfigError("INVALID_VALUE", key, `${key}=${value} must be a whole number`);
    }
    return value.startsWith("-") ? -number : number;
  }

  /** A count where zero and less mean "not given". */
  positive(key: string): number | undefined {
    const value = this.integer(key);
    return value !== undefined && value > 0 ? value : undefined;
  }

  flag(key: string): boolean | undefined {
    const value = this.text(key)?.toLowerCase();
    if (value === undefined) return undefined;
    if (value === "true" || value === "yes") return true;
    if (value === "false" || value === "no") return false;
    throw new ConfigError("INVALID_VALUE", key, `${key}=${value} must be true or false`);
  }

  /** Values of `prefix`, `prefix.1`, `prefix.anything`. */
  family(prefix: string): string[] {
    return [...this.#properties]
      .filter(([name]) => {
        const key = plainKey(name);
        return key === prefix || key.startsWith(`${prefix}.`);
      })
      .map(([, value]) => value);
  }
}

/** A key without the prefix that it has as a system property. */
export function plainKey(name: string): string {
  return name.replace(/^zookeeper\./, "");
}
