// SPDX-License-Identifier: Apache-2.0
// The reference page of the configuration against the code.
import { readFile } from "node:fs/promises";
import {
  ENSEMBLE_KEYS,
  HONOURED_KEYS,
  IGNORED_KEYS,
  parseZooCfg,
  REFUSED_WHEN_TRUE,
  WARNED_KEYS,
} from "@meerkat/server";
import { beforeAll, describe, expect, it } from "vitest";

type Fate = "honoured" | "ignored" | "ignored with a warning" | "refused";

describe("the reference page of the configuration", () => {
  const fates = new Map<string, Fate>();

  beforeAll(async () => {
    const page = await readFile(
      new URL("../../docs/reference/server-configuration.md", import.meta.url),
      "utf8",
    );
    for (const row of page.matchAll(/^\| (`.*?) \| .* \| ([a-z ]+) \|$/gm)) {
      for (const [, key = ""] of (row[1] ?? "").matchAll(/`([^`]+)`/g)) {
        expect(fates.has(key), `${key} twice`).toBe(false);
        fates.set(key, row[2] as Fate);
      }
    }
  });

  const keysWith = (fate: Fate): string[] =>
    [...fates]
      .filter(([, found]) => found === fate)
      .map(([key]) => key)
      .sort();

  it("lists the keys of each fate as the code has them", () => {
    expect(keysWith("honoured")).toEqual([...HONOURED_KEYS].sort());
    expect(keysWith("ignored")).toEqual([...IGNORED_KEYS].sort());
    expect(keysWith("ignored with a warning")).toEqual(Object.keys(WARNED_KEYS).sort());
    const refused = keysWith("refused").map((key) => key.replace(/\.N$/, ".1"));
    expect(refused.filter((key) => !ENSEMBLE_KEYS.test(key))).toEqual(Object.keys(REFUSED_WHEN_TRUE).sort());
    expect(refused.filter((key) => ENSEMBLE_KEYS.test(key))).toHaveLength(7);
  });

  it("tells the truth about each of them", async () => {
    const values: Readonly<Record<string, string>> = {
      "autopurge.purgeInterval": "1",
      "ssl.clientAuth": "none",
      authProvider: "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
    };
    for (const [key, fate] of fates) {
      // Those read a file that has to be there.
      if (key === "java.security.auth.login.config" || key === "secureClientPort") continue;
      const isFlag =
        /enabled$|Enabled$|enable|Enable|^forceSync$|^skipACL$|trust\.empty$|enforceQuota|SASLAuth$|^ssl\.(crl|ocsp)$/.test(
          key,
        );
      const value = values[key] ?? (isFlag ? "true" : "7");
      const config = parseZooCfg(`dataDir=/d\n${key.replace(/\.N$/, ".1")}=${value}\n`);
      if (fate === "refused") {
        await expect(config, key).rejects.toThrow(key.replace(/\.N$/, ".1"));
        continue;
      }
      const { warnings } = await config;
      expect(warnings.length, key).toBe(fate === "ignored with a warning" ? 1 : 0);
    }
  });

  it("gives the defaults that the code has", async () => {
    const { options } = await parseZooCfg("dataDir=/d\n");
    expect(options).toMatchObject({
      port: 2181,
      host: "0.0.0.0",
      extendedTypes: false,
      limits: { connectionsPerAddressMax: 60, connectionsMax: 0, outstandingMax: 1000 },
      admin: { port: 8080 },
    });
    expect([options.metrics, options.purge, options.tls]).toEqual([undefined, undefined, undefined]);
  });
});
