// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { ScratchDir } from "@meerkat/testkit";

const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"] as const;

/** PEM files of an authority, and of a server and a client that it vouches for. */
export interface Certificates {
  /** Reads one: `ca.crt`, `server.crt`, `server.key`, `client.crt`, `client.key`. */
  pem(name: string): string;
  /** Path of one; also `server.pem`: key and chain in one file, as ZooKeeper's key stores want it. */
  path(name: string): string;
}

/** Makes them with openssl. The server's is for `localhost` and 127.0.0.1; the client is CN=keeper. */
export function makeCertificates(directory: ScratchDir): Certificates {
  const openssl = (...args: readonly string[]): void => {
    execFileSync("openssl", [...args], { cwd: directory.path, stdio: "ignore" });
  };
  const path = (name: string): string => directory.join(name);
  const pem = (name: string): string => readFileSync(path(name), "utf8");
  openssl(
    "req",
    "-x509",
    ...CURVE,
    "-days",
    "2",
    "-subj",
    "/CN=Test CA",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
  );
  writeFileSync(path("names.cnf"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  for (const [name, subject] of [
    ["server", "/CN=localhost"],
    ["client", "/CN=keeper"],
  ] as const) {
    openssl("req", "-new", ...CURVE, "-subj", subject, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
      ...["-days", "2", "-extfile", "names.cnf", "-out", `${name}.crt`],
    );
  }
  writeFileSync(path("server.pem"), pem("server.key") + pem("server.crt"));
  return { pem, path };
}
