// SPDX-License-Identifier: Apache-2.0

/** TLS of an outgoing connection. Certificates and keys are PEM text or bytes. */
export interface TlsClientOptions {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  /** Our certificate chain and key, for mutual TLS. */
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  /** Passphrase of an encrypted `key`. */
  readonly passphrase?: string | undefined;
  /** Name the certificate must carry; the host when left out. */
  readonly serverName?: string | undefined;
  /** Accept any certificate. Only for tests; default false. */
  readonly insecure?: boolean | undefined;
}

/** TLS of a listener. */
export interface TlsServerOptions {
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
  readonly passphrase?: string | undefined;
  /** A PKCS#12 bundle instead of `cert` and `key`. */
  readonly pfx?: Buffer | undefined;
  /** Authorities that client certificates are checked against. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  /** `none` asks for no client certificate, `want` takes one, `need` refuses clients without. */
  readonly clientAuth?: "none" | "want" | "need" | undefined;
}
