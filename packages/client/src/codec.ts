// SPDX-License-Identifier: Apache-2.0
// Between the bytes of a znode and values.

/** Turns values into a znode's bytes and back. Both directions throw on what they cannot represent. */
export interface Codec<T> {
  /** For messages, such as `json`. */
  readonly name: string;
  encode(value: T): Uint8Array;
  /** The bytes are the caller's to keep. */
  decode(bytes: Buffer): T;
}

/** Bytes as they are. */
export const bytes: Codec<Uint8Array> = { name: "bytes", encode: (value) => value, decode: (value) => value };

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text in UTF-8; malformed bytes are refused. */
export const utf8: Codec<string> = {
  name: "utf8",
  encode: (value) => Buffer.from(value, "utf8"),
  decode: (value) => strictUtf8.decode(value),
};

/**
 * JSON in UTF-8. `check` receives what was parsed and returns it as `T` or throws; without it the type is
 * taken on trust.
 */
export function json<T>(check?: (value: unknown) => T): Codec<T> {
  return {
    name: "json",
    encode(value) {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError("the value has no JSON form");
      return Buffer.from(text, "utf8");
    },
    decode(value) {
      const parsed: unknown = JSON.parse(strictUtf8.decode(value));
      return check === undefined ? (parsed as T) : check(parsed);
    },
  };
}
