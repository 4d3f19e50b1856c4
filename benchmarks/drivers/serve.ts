// SPDX-License-Identifier: Apache-2.0
// The driver's end of the line protocol of `lib/driver-process.ts`.
import { createInterface } from "node:readline";

/**
 * Carries out one command. The arguments come as JSON and each verb names their shape; what it gives back
 * is the answer; a rejection is reported to the suite.
 */
export type Verb = (args: never) => Promise<object | undefined> | object | undefined;

/**
 * Answers commands, one after the other, until stdin closes; then runs `onEnd` and exits. Never returns
 * before that.
 */
export async function serveDriver(
  verbs: Readonly<Record<string, Verb>>,
  onEnd: () => Promise<void> | void,
): Promise<never> {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as { readonly verb: string };
    const verb = verbs[command.verb];
    let answer: object | undefined;
    try {
      if (verb === undefined) throw new Error(`unknown verb ${command.verb}`);
      answer = await verb(command as never);
    } catch (error) {
      answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    process.stdout.write(`${JSON.stringify(answer ?? {})}\n`);
  }
  await onEnd();
  process.exit(0);
}
