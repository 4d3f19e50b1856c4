// SPDX-License-Identifier: Apache-2.0
// What the service offers. Server and client both get their types from here.
import { arg, defineService, f32, InvalidOperation, i32 } from "@meerkat/rpc";

export const Divide = defineService("divide", {
  divide: {
    args: { num1: arg(1, i32), num2: arg(2, i32, { default: 1 }) },
    result: f32,
    errors: [InvalidOperation],
    idempotent: true,
  },
});
