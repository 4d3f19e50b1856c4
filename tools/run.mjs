// SPDX-License-Identifier: Apache-2.0
// What `npm test`, `npm run demo` and the other root scripts do in a clone of any age: install when
// the lockfile asks for it, build what changed, then run. Plain JavaScript without dependencies,
// since it runs before there are any.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name) => `${root}node_modules/.bin/${name}`;
const LOCKFILE = `${root}package-lock.json`;
/** npm's own record of what is installed. */
const INSTALLED = `${root}node_modules/.package-lock.json`;
/** Hash of the lockfile that was installed last by this script. */
const MARKER = `${root}node_modules/.meerkat-installed`;

/** Runs a program with our terminal; resolves to its exit code (128 + n for signal n). */
function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: "inherit", ...options });
    // The terminal sends Ctrl-C to the child too, so it is not passed on; a SIGTERM is ours alone.
    const ignore = () => {};
    const forward = () => child.kill("SIGTERM");
    process.on("SIGINT", ignore);
    process.on("SIGTERM", forward);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", forward);
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}

/** Runs a step that must succeed; ends this process with its exit code when it does not. */
async function must(program, args, options) {
  const code = await run(program, args, options);
  if (code !== 0) process.exit(code);
}

function lockfileHash() {
  return createHash("sha256").update(readFileSync(LOCKFILE)).digest("hex");
}

/** True when node_modules does not hold what the lockfile says. */
function installNeeded() {
  if (!existsSync(INSTALLED)) return true;
  if (existsSync(MARKER) && readFileSync(MARKER, "utf8") === lockfileHash()) return false;
  return statSync(LOCKFILE).mtimeMs > statSync(INSTALLED).mtimeMs + 5_000;
}

async function prepare() {
  // Their output goes to stderr: stdout belongs to the program that was asked for.
  const quiet = { stdio: ["ignore", process.stderr, process.stderr] };
  if (installNeeded()) {
    await must("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], quiet);
    writeFileSync(MARKER, lockfileHash());
  }
  await must(bin("tsc"), ["-b"], quiet);
}

/** The names of the benchmarks: the files in benchmarks/suites. */
function benchmarkNames() {
  const folder = `${root}benchmarks/suites`;
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.slice(0, -3));
}

/** The names of what can be fuzzed: the files in tests/fuzz. */
function fuzzNames() {
  const suffix = "-frames.test.ts";
  return readdirSync(`${root}tests/fuzz`)
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length));
}

/**
 * The numbers given as `--name N` for some of `names`, as environment variables `PREFIX_NAME`; undefined
 * when there is anything else.
 */
function numbers(args, prefix, names) {
  const variables = {};
  for (let index = 0; index < args.length; index += 2) {
    const name = names.find((known) => args[index] === `--${known}`);
    const value = args[index + 1];
    if (name === undefined || !(Number(value) >= 0)) return undefined;
    variables[`${prefix}_${name.toUpperCase()}`] = value;
  }
  return variables;
}

/** Runs one file of tests for long: nothing else is started, and what it prints is shown at once. */
function runLong(file, variables) {
  const env = { ...process.env, ...variables };
  return run(bin("vitest"), ["run", file, "--disable-console-intercept"], { env });
}

const commands = {
  async test(args) {
    // Arguments narrow the run to some tests; the checks of the whole tree are then left out.
    if (args.length === 0) {
      await must("npm", ["run", "--silent", "lint"]);
      await must(bin("tsc"), ["-p", "tsconfig.check.json"]);
    }
    return run(bin("vitest"), ["run", ...args]);
  },
  demo: (args) => run(process.execPath, ["packages/cli/bin/meerkat.js", "demo", ...args]),
  async example([name, ...args]) {
    return run(process.execPath, [`examples/dist/${name}.js`, ...args]);
  },
  async differential(args) {
    const variables = numbers(args, "DIFFERENTIAL", ["minutes", "seed"]);
    if (variables?.DIFFERENTIAL_MINUTES === undefined) {
      console.error("usage: npm run differential -- --minutes N [--seed S]");
      return 2;
    }
    return runLong("tests/differential/differential.test.ts", variables);
  },
  async fuzz([name, ...args]) {
    const variables = numbers(args, "FUZZ", ["frames", "seed"]);
    const names = fuzzNames();
    if (!names.includes(name) || variables === undefined) {
      console.error(`usage: npm run fuzz -- ${names.join("|")} [--frames N] [--seed S]`);
      return 2;
    }
    return runLong(`tests/fuzz/${name}-frames.test.ts`, variables);
  },
  async chaos([name, ...args]) {
    const variables = numbers(args, "CHAOS", ["minutes", "seed"]);
    if (name !== "recipes" || variables?.CHAOS_MINUTES === undefined) {
      console.error("usage: npm run chaos -- recipes --minutes N [--seed S]");
      return 2;
    }
    return runLong("tests/chaos/recipes.test.ts", variables);
  },
  async bench([name, ...args]) {
    const names = benchmarkNames();
    if (name === undefined || !names.includes(name)) {
      const list = names.map((known) => `  npm run bench -- ${known}`).join("\n");
      console.error(`usage: npm run bench -- NAME [--json] [--quick]\n\nNAME is one of:\n${list}`);
      return name === undefined ? 0 : 2;
    }
    return run(process.execPath, ["--expose-gc", `benchmarks/dist/suites/${name}.js`, ...args]);
  },
};

const [command, ...args] = process.argv.slice(2);
if (command === undefined || !Object.hasOwn(commands, command)) {
  console.error(`usage: node tools/run.mjs ${Object.keys(commands).join("|")} [ARGS]`);
  process.exit(2);
}
await prepare();
process.exitCode = await commands[command](args);
