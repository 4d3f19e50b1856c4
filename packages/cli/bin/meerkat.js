#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Plain JavaScript and in version control, so that `npm install` can link the command before the first
// build. Everything else is in ../src.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const entry = new URL("../dist/main.js", import.meta.url);
if (existsSync(entry)) {
  const { main } = await import(entry.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write(
    `meerkat: not built yet (${fileURLToPath(entry)} is missing).\n` +
      "  hint: run `npm install` or `npm run build` in the root of the repository.\n",
  );
  process.exitCode = 1;
}
