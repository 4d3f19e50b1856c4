// SPDX-License-Identifier: Apache-2.0
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
import { addDataOptions, type ConnectionFlags, resolveConnection } from "../connection.ts";
import { writeLine } from "../io.ts";
import { writeJson } from "../output/json.ts";
import type { CommandHost } from "../program.ts";
import { addRootOption, withDirectory } from "../registry.ts";
import { UsageError } from "../usage-error.ts";

interface CallFlags extends ConnectionFlags {
  readonly root: string;
  readonly idempotent?: boolean;
}

/** Names of the arguments of the methods that are known here, in the order of their numbers. */
const KNOWN_ARGUMENTS: Readonly<Record<string, readonly string[]>> = { divide: ["num1", "num2"] };

/** `meerkat call SERVICE METHOD [ARGS…]`: one governed call over the seed's wire. */
export function addCallCommand(program: Command, { io }: CommandHost): void {
  addRootOption(addDataOptions(program.command("call")))
    .description("call a method of a live server and print the result")
    .argument("<service>", "the service, as `meerkat services` names it")
    .argument("<method>", "its method")
    .argument("[args...]", "integers in the order of their numbers, or one JSON object")
    .option("--idempotent", "send it again when the reply was lost")
    .action(
      async (
        service: string,
        method: string,
        words: readonly string[],
        flags: CallFlags,
        command: Command,
      ) => {
        const values = parseArguments(method, words);
        const { timeoutMs } = resolveConnection(command, io);
        await withDirectory(command, io, { root: flags.root, service }, async (directory) => {
          await using client = createRpcClient(
            contractFor(service, method, values, flags.idempotent === true),
            {
              directory,
              timeoutMs,
              runtime: systemRuntime,
            },
          );
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
      },
    );
}

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
