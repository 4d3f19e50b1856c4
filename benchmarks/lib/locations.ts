// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from "node:url";

/** The compiled files: `dist`. */
const distDir: string = fileURLToPath(new URL("..", import.meta.url));
/** The folder `benchmarks`. */
const benchmarksDir: string = fileURLToPath(new URL("../..", import.meta.url));

/** Root of the repository. */
export const repositoryDir: string = fileURLToPath(new URL("../../..", import.meta.url));
/** Where rival packages are installed; ignored by git. */
export const peersDir: string = `${benchmarksDir}.peers`;

/** The compiled driver of that name. */
export function driverPath(name: string): string {
  return `${distDir}drivers/${name}.js`;
}

/** The Python driver of that name, which is not compiled. */
export function pythonDriverPath(name: string): string {
  return `${benchmarksDir}drivers/${name}.py`;
}

/** The Java driver of that name, which is compiled when it is needed. */
export function javaDriverPath(name: string): string {
  return `${benchmarksDir}drivers/${name}.java`;
}
