// SPDX-License-Identifier: Apache-2.0
// Numbers and limits of the seed's wire. The whole format: docs/protocols/seed.md.

/** First byte of a reply that carries a result. */
export const REPLY_RESULT = 1;
/** First byte of a reply that carries the text of an error. */
export const REPLY_ERROR = 2;

/** What one side accepts of the other. A frame beyond it cannot be skipped safely: the connection ends. */
export interface SeedLimits {
  /** Longest method name in bytes. */
  readonly nameBytesMax: number;
  /** Longest block of arguments in bytes. */
  readonly argumentBytesMax: number;
  /** Longest text of an error in bytes. Longer ones are cut when sent and refused when received. */
  readonly errorTextBytesMax: number;
}

/** Generous for people, small for memory. */
export const seedLimitDefaults: SeedLimits = {
  nameBytesMax: 255,
  argumentBytesMax: 64 * 1024,
  errorTextBytesMax: 64 * 1024,
};

/** The peer's bytes are not this wire's, and where the next frame starts is lost. Never seen by users. */
export class SeedFormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SeedFormatError";
  }
}
