// SPDX-License-Identifier: Apache-2.0
// The direction of imports holds, and the check that says so bites.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkPackages, importsOf } from "../../tools/check-imports.mjs";

const packages = fileURLToPath(new URL("../../packages", import.meta.url));

describe("the direction of imports", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "meerkat-imports-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function put(file: string, text: string): void {
    const path = join(folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  function putPackage(
    name: string,
    dependencies: Record<string, string>,
    files: Record<string, string>,
  ): void {
    put(`${name}/package.json`, JSON.stringify({ name: `@meerkat/${name}`, dependencies }));
    for (const [file, text] of Object.entries(files)) put(`${name}/src/${file}`, text);
  }

  it("holds in every package of this repository", () => {
    expect(checkPackages(packages)).toEqual([]);
  });

  it("is refused when a lower package imports a higher one", () => {
    putPackage("wire", {}, { "a.ts": 'import { x } from "@meerkat/client";\n' });
    expect(checkPackages(folder)).toEqual(["packages/wire/src/a.ts: wire must not import @meerkat/client"]);
  });

  it("is refused when rpc reaches past governance to the client", () => {
    putPackage("rpc", { "@meerkat/client": "0.1.0" }, { "a.ts": 'export { x } from "@meerkat/client";\n' });
    expect(checkPackages(folder)).toHaveLength(2);
  });

  it("is refused when a layer imports a higher layer of its own package", () => {
    putPackage("server", {}, { "tree/a.ts": 'import { x } from "../net/b.ts";\n', "net/b.ts": "" });
    expect(checkPackages(folder)).toEqual([
      "packages/server/src/tree/a.ts: layer tree/ must not import from net/: ../net/b.ts",
    ]);
  });

  it("is refused when a zero-dependency package takes a library", () => {
    putPackage("client", { lodash: "4.0.0" }, { "a.ts": 'import "lodash";\n' });
    expect(checkPackages(folder)).toHaveLength(2);
  });

  it("is refused when a relative path leaves the package or a deep import goes round index.ts", () => {
    putPackage(
      "client",
      { "@meerkat/wire": "0.1.0" },
      { "a.ts": 'import { x } from "../../wire/src/x.ts";\nimport { y } from "@meerkat/wire/src/y.ts";\n' },
    );
    expect(checkPackages(folder)).toHaveLength(2);
  });

  it("is checked for every form of import", () => {
    const source =
      'import a from "one";\nimport {\n  b,\n} from "two";\nexport * from "three";\nimport "four";\nawait import("five");\n';
    expect(importsOf(source)).toEqual(["one", "two", "three", "four", "five"]);
  });
});
