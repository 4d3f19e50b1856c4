// SPDX-License-Identifier: Apache-2.0
// The TLS listener of a configuration: key and trust stores in PEM, PKCS #12 and JKS.
import { extname } from "node:path";
import type { SecureListenerOptions } from "../options.ts";
import { ConfigError } from "./config-error.ts";
import type { Keys } from "./keys.ts";
import { isJks, readJks } from "./keystores/jks.ts";
import { pem } from "./keystores/pem.ts";
import { readPkcs12Certificates } from "./keystores/pkcs12.ts";
import { type ReadConfigFile, readOrExplain } from "./read-file.ts";

/** A store's file, what it is, and its password. */
interface Store {
  readonly key: string;
  readonly path: string;
  readonly bytes: Buffer;
  readonly type: "pem" | "pkcs12" | "jks";
  readonly password: string | undefined;
}

/** Options of the TLS listener; undefined when the configuration asks for none. */
export async function tlsOptions(
  keys: Keys,
  read: ReadConfigFile,
): Promise<SecureListenerOptions | undefined> {
  const port = keys.integer("secureClientPort");
  const host = keys.text("secureClientPortAddress");
  if (port === undefined) return undefined;
  const keyStore = await openStore(keys, "ssl.keyStore", read);
  if (keyStore === undefined) {
    throw new ConfigError(
      "MISSING_KEY",
      "ssl.keyStore.location",
      "secureClientPort needs ssl.keyStore.location",
    );
  }
  const trustStore = await openStore(keys, "ssl.trustStore", read);
  const clientAuth =
    keys.text("ssl.clientAuth")?.toLowerCase() ?? (trustStore === undefined ? "none" : "need");
  if (clientAuth !== "none" && clientAuth !== "want" && clientAuth !== "need") {
    throw new ConfigError(
      "INVALID_VALUE",
      "ssl.clientAuth",
      `ssl.clientAuth=${clientAuth} must be none, want or need`,
    );
  }
  const own = explained(keyStore, () => identity(keyStore));
  const ca = trustStore && explained(trustStore, () => authorities(trustStore));
  return { port, host, ...own, ca, clientAuth };
}

async function openStore(keys: Keys, name: string, read: ReadConfigFile): Promise<Store | undefined> {
  const key = `${name}.location`;
  const path = keys.text(key);
  if (path === undefined) return undefined;
  const bytes = await readOrExplain(read, key, path);
  const passwordPath = keys.text(`${name}.passwordPath`);
  const password =
    passwordPath === undefined
      ? keys.text(`${name}.password`)
      : (await readOrExplain(read, `${name}.passwordPath`, passwordPath)).toString().trim();
  return { key, path, bytes, type: storeType(keys, name, path, bytes), password };
}

function storeType(keys: Keys, name: string, path: string, bytes: Buffer): Store["type"] {
  const type = (keys.text(`${name}.type`) ?? extname(path).slice(1)).toLowerCase();
  if (type === "pem") return "pem";
  // Java reads both under either name, and keytool writes PKCS #12 into files called .jks.
  if (["pkcs12", "p12", "pfx", "jks"].includes(type)) return isJks(bytes) ? "jks" : "pkcs12";
  throw new ConfigError(
    "INVALID_VALUE",
    `${name}.type`,
    `${name} ${path} is of type ${type}, which is not read; convert it to PEM, PKCS12 or JKS ` +
      "(keytool -importkeystore -deststoretype PKCS12)",
  );
}

function identity(store: Store): Pick<SecureListenerOptions, "cert" | "key" | "pfx" | "passphrase"> {
  const { bytes, password } = store;
  if (store.type === "pem") return { cert: bytes, key: bytes, passphrase: password };
  if (store.type === "pkcs12") return { pfx: bytes, passphrase: password };
  const [entry] = readJks(bytes, password ?? "").keys;
  if (entry === undefined) throw new Error("there is no private key in it");
  return {
    key: pem("PRIVATE KEY", entry.key),
    cert: entry.chain.map((certificate) => pem("CERTIFICATE", certificate)).join(""),
  };
}

function authorities(store: Store): Buffer | string[] {
  const { bytes, password = "" } = store;
  if (store.type === "pem") return bytes;
  const found =
    store.type === "jks" ? readJks(bytes, password).trusted : readPkcs12Certificates(bytes, password);
  if (found.length === 0) throw new Error("there is no trusted certificate in it");
  return found.map((certificate) => pem("CERTIFICATE", certificate));
}

/** Runs `read`, and names the store in what it throws. */
function explained<T>(store: Store, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const reason = error instanceof RangeError ? "the file is damaged" : (error as Error).message;
    throw new ConfigError("INVALID_VALUE", store.key, `${store.key}=${store.path}: ${reason}`, error);
  }
}
