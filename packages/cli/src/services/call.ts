// SPDX-License-Identifier: Apache-2.0
// What `meerkat call` does: one governed call over the seed's wire.
import { endpointKey } from "@meerkat/governance";
import {
  type ArgumentDefinitions,
  arg,
  createRpcClient,
  defineService,
  f32,
  InvalidOperation,
  i32,
} from "@meerkat/rpc";
import { systemRuntime } from "@meerkat/runtime";
import type { Command } from "commander";
import { resolveConnection } from "../connection.ts";
import { type Io, writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import { UsageError } from "../usage-error.ts";
import { withRegistry } from "./registry.ts";

/** What to call. */
export interface CallRequest {
  readonly service: string;
  readonly method: string;
  /** The arguments as they were typed. */
  readonly words: readonly string[];
}

/** How to call it. */
export interface CallFlags {
  readonly root: string;
  readonly idempotent?: boolean;
  readonly json?: boolean;
}

/** Calls the method on a live server and prints the result. */
export async function printCall(
  command: Command,
  request: CallRequest,
  flags: CallFlags,
  io: Io,
): Promise<void> {
  const { service, method } = request;
  const values = parseArguments(method, request.words);
  const { timeoutMs } = resolveConnection(command, io);
  await withRegistry(command, io, { root: flags.root }, async ({ registry, call: limits }) => {
    await using directory = await registry.directory({ ...limits, service });
    await using client = createRpcClient(contractFor(service, method, values, flags.idempotent === true), {
      directory,
      timeoutMs,
      runtime: systemRuntime,
    });
    let server = "";
    client.onAttempt(({ endpoint }) => {
      server = endpointKey(endpoint);
    });
    const call = client[method];
    if (call === undefined) throw new Error(`the contract lacks ${method}`);
    const result: unknown = await call(values, { signal: io.signal });
    if (flags.json === true) writeJson(io.stdout, { result, server });
    else writeLine(io.stdout, String(result));
  });
}

/** Names of the arguments of the methods that are known here, in the order of their numbers. */
const KNOWN_ARGUMENTS: Readonly<Record<string, readonly string[]>> = { divide: ["num1", "num2"] };

/** Arguments by name: `arg1`, `arg2`, … in the order of their numbers. Exported for its test. */
export function parseArguments(method: string, words: readonly string[]): Readonly<Record<string, number>> {
  const [first] = words;
  const values =
    words.length === 1 && first?.startsWith("{") ? namedArguments(method, first) : words.map(integer);
  return Object.fromEntries(
    values.flatMap((value, index) => (value === undefined ? [] : [[`arg${index + 1}`, value]])),
  );
}

function namedArguments(method: string, text: string): (number | undefined)[] {
  const names = KNOWN_ARGUMENTS[method];
  if (names === undefined) {
    throw new UsageError(
      `the names of ${method}'s arguments are not known here: give integers in their order`,
    );
  }
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new UsageError(`the arguments are no JSON object: ${text}`);
  }
  const unknown = Object.keys(parsed).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`${method} has no argument ${unknown}: it takes ${names.join(", ")}`);
  return names.map((name) => (parsed[name] === undefined ? undefined : integer(String(parsed[name]))));
}

function integer(word: string): number {
  if (!/^-?\d{1,10}$/.test(word) || (Number(word) | 0) !== Number(word)) {
    throw new UsageError(`"${word}" is no 32-bit integer, and the seed's wire carries nothing else`);
  }
  return Number(word);
}

/** A contract with one method, made for one call: the seed's wire knows integers in and a float out. */
function contractFor(
  service: string,
  method: string,
  values: Readonly<Record<string, number>>,
  idempotent: boolean,
) {
  const args: ArgumentDefinitions = Object.fromEntries(
    Object.keys(values).map((name) => [name, arg(Number(name.slice(3)), i32)]),
  );
  return defineService(service, {
    [method]: { args, result: f32, errors: [InvalidOperation], idempotent },
  });
}
