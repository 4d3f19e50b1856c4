// SPDX-License-Identifier: Apache-2.0
import { arg, defineService, f32, InvalidOperation, i32 } from "@meerkat/rpc";

/** Colder than this nothing gets, in degrees Celsius. */
export const ABSOLUTE_ZERO = -273;

export class TooCold extends InvalidOperation {}

export const Temperature = defineService("temperature", {
  toFahrenheit: {
    args: { celsius: arg(1, i32) },
    result: f32,
    errors: [TooCold],
    idempotent: true,
  },
});
