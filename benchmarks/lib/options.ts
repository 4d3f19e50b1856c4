// SPDX-License-Identifier: Apache-2.0
import { parseArgs } from "node:util";

/** What every suite takes on its command line. */
export interface SuiteOptions {
  /** Print one JSON object on stdout instead of tables. */
  readonly json: boolean;
  /** Few cases and short runs: ends within 50 s. */
  readonly quick: boolean;
  /** Only the cases whose name matches. */
  readonly only: RegExp | undefined;
  /** Directory for CPU profiles of every Node process that is measured. */
  readonly profileDir: string | undefined;
}

const USAGE = `usage: npm run bench -- NAME [--json] [--quick] [--only PATTERN] [--profile DIR]

  --json          one JSON object on stdout
  --quick         fewer cases, shorter runs; ends within 50 seconds
  --only PATTERN  only the cases whose name matches this regular expression
  --profile DIR   write V8 CPU profiles of the measured Node processes to DIR
`;

/** Reads the arguments; prints the usage and exits with 2 when they are wrong, with 0 at `--help`. */
export function parseSuiteOptions(args: readonly string[]): SuiteOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        json: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        profile: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    return {
      json: values.json,
      quick: values.quick,
      only: values.only === undefined ? undefined : new RegExp(values.only),
      profileDir: values.profile,
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}
