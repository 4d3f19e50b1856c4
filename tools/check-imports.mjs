// SPDX-License-Identifier: Apache-2.0
// Fails on an import against the direction of docs/architecture.md: between packages, out of a package by
// a relative path, against the order of layers inside a package, or of a dependency that a zero-dependency
// package must not have.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Package to the packages it may import. The one source of truth; docs/architecture.md shows it. */
export const ALLOWED = {
  runtime: [],
  wire: [],
  client: ["runtime", "wire"],
  server: ["runtime", "wire"],
  recipes: ["runtime", "client"],
  governance: ["runtime", "client", "recipes"],
  rpc: ["runtime", "governance"],
  grpc: ["runtime", "governance"],
  http: ["runtime", "governance"],
  console: ["runtime", "wire", "client", "recipes", "server", "governance", "rpc", "grpc", "http"],
  cli: ["runtime", "wire", "client", "recipes", "server", "governance", "rpc", "grpc", "http", "console"],
  testkit: ["runtime", "wire", "client", "server"],
};

/** Packages without run-time dependencies outside Meerkat. */
const ZERO_DEPENDENCY = ["runtime", "wire", "client", "recipes", "server", "governance", "rpc"];

/** Inside a package: folder to the folders it must not import from. */
const LAYERS = {
  client: {
    connection: ["session", "operations", "watches"],
    session: ["operations"],
  },
  server: {
    tree: ["log", "sessions", "net", "admin"],
    log: ["sessions", "net", "admin"],
    sessions: ["net", "admin"],
  },
  governance: {
    balancing: ["registry", "discovery"],
    resilience: ["registry", "discovery"],
  },
};

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^;"'`]*?from\s*["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']\s*\)|(?:^|\n)\s*import\s*["']([^"']+)["']/g;

/** The module names that a source text imports. */
export function importsOf(source) {
  return [...source.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3]);
}

/**
 * What is wrong with one import, or undefined. `file` is relative to the package's `src`, with `/`.
 * `declared` are the dependencies of the package's package.json, peers included.
 */
export function importProblem(packageName, file, specifier, declared) {
  if (specifier.startsWith("node:")) return undefined;
  if (specifier.startsWith(".")) {
    const target = join(dirname(file), specifier).split(sep).join("/");
    if (target.startsWith("..")) return `leaves the package by a relative path: ${specifier}`;
    const from = file.includes("/") ? file.split("/")[0] : undefined;
    const to = target.includes("/") ? target.split("/")[0] : undefined;
    if (from !== undefined && to !== undefined && LAYERS[packageName]?.[from]?.includes(to)) {
      return `layer ${from}/ must not import from ${to}/: ${specifier}`;
    }
    return undefined;
  }
  const own = /^@meerkat\/([^/]+)(\/.*)?$/.exec(specifier);
  if (own !== null) {
    if (own[2] !== undefined) return `deep import: ${specifier}`;
    if (!ALLOWED[packageName].includes(own[1])) return `${packageName} must not import ${specifier}`;
    if (!declared.includes(specifier)) return `${specifier} is not declared in package.json`;
    return undefined;
  }
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if (ZERO_DEPENDENCY.includes(packageName)) return `${packageName} takes no dependencies: ${specifier}`;
  return declared.includes(name) ? undefined : `${name} is not declared in package.json`;
}

function sourcesOf(folder) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => /\.tsx?$/.test(name) && !/\.test\.tsx?$/.test(name) && !name.endsWith(".d.ts"));
}

/** All problems of the packages under `packagesFolder`, one line each. */
export function checkPackages(packagesFolder) {
  const problems = [];
  for (const packageName of readdirSync(packagesFolder)) {
    const manifest = JSON.parse(readFileSync(join(packagesFolder, packageName, "package.json"), "utf8"));
    if (ALLOWED[packageName] === undefined) {
      problems.push(`packages/${packageName}: not in the table of tools/check-imports.mjs`);
      continue;
    }
    const dependencies = Object.keys(manifest.dependencies ?? {});
    const declared = [...dependencies, ...Object.keys(manifest.peerDependencies ?? {})];
    for (const dependency of dependencies) {
      const own = /^@meerkat\/(.+)$/.exec(dependency);
      const allowed =
        own === null ? !ZERO_DEPENDENCY.includes(packageName) : ALLOWED[packageName].includes(own[1]);
      if (!allowed) problems.push(`packages/${packageName}/package.json: must not depend on ${dependency}`);
    }
    const source = join(packagesFolder, packageName, "src");
    for (const file of sourcesOf(source)) {
      for (const specifier of importsOf(readFileSync(join(source, file), "utf8"))) {
        const problem = importProblem(packageName, file.split(sep).join("/"), specifier, declared);
        if (problem !== undefined) problems.push(`packages/${packageName}/src/${file}: ${problem}`);
      }
    }
  }
  return problems;
}

const script = fileURLToPath(import.meta.url);
if (process.argv[1] !== undefined && resolve(process.argv[1]) === script) {
  const folder = join(dirname(script), "..", "packages");
  const problems = checkPackages(folder);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) {
    console.error(
      `\n${problems.length} imports against the direction; see ${relative(process.cwd(), join(folder, "../docs/architecture.md"))}`,
    );
    process.exitCode = 1;
  }
}
