// SPDX-License-Identifier: Apache-2.0
export type { Environment, Io, Output } from "./io.ts";
export { createOutput } from "./io.ts";
export { main, runCommand } from "./main.ts";
export { createProgram } from "./program.ts";
