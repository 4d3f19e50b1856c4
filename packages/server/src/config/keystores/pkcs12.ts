// SPDX-License-Identifier: Apache-2.0
// Certificates out of a PKCS #12 file (RFC 7292). TLS takes such files as key stores by itself, but a trust store
// has no key, and then it does not. The file's own checksum is not looked at: who can change the trust store can
// replace it.
import { createDecipheriv, pbkdf2Sync } from "node:crypto";
import { DerTag, type DerValue, derContent, derInside, derNumber, derOid } from "./der.ts";

const OID = {
  data: "1.2.840.113549.1.7.1",
  encryptedData: "1.2.840.113549.1.7.6",
  certificateBag: "1.2.840.113549.1.12.10.1.3",
  pbes2: "1.2.840.113549.1.5.13",
} as const;

const CIPHERS: Readonly<Record<string, { readonly name: string; readonly keyBytes: number }>> = {
  "2.16.840.1.101.3.4.1.2": { name: "aes-128-cbc", keyBytes: 16 },
  "2.16.840.1.101.3.4.1.22": { name: "aes-192-cbc", keyBytes: 24 },
  "2.16.840.1.101.3.4.1.42": { name: "aes-256-cbc", keyBytes: 32 },
};

const PRFS: Readonly<Record<string, string>> = {
  "1.2.840.113549.2.7": "sha1",
  "1.2.840.113549.2.9": "sha256",
  "1.2.840.113549.2.10": "sha384",
  "1.2.840.113549.2.11": "sha512",
};

/** Rounds that are believed; more would only keep the start busy. */
const ROUNDS_MAX = 10_000_000;

/**
 * The certificates in DER. Throws an `Error` (a `RangeError` for bytes that are no PKCS #12) that says what is
 * wrong and shows no secret.
 */
export function readPkcs12Certificates(bytes: Buffer, password: string): Buffer[] {
  const root = { tag: DerTag.sequence, content: bytes };
  const [, safe] = derInside(derInside(root, DerTag.sequence)[0], DerTag.sequence);
  const certificates: Buffer[] = [];
  const contents = { tag: DerTag.sequence, content: dataOf(derInside(safe, DerTag.sequence)) };
  for (const info of derInside(derInside(contents, DerTag.sequence)[0], DerTag.sequence)) {
    const parts = derInside(info, DerTag.sequence);
    const type = derOid(parts[0]);
    if (type === OID.data) certificates.push(...certificatesIn(dataOf(parts)));
    else if (type === OID.encryptedData) certificates.push(...certificatesIn(decrypt(parts, password)));
  }
  return certificates;
}

/** The content of a ContentInfo of type data. */
function dataOf(info: readonly DerValue[]): Buffer {
  if (derOid(info[0]) !== OID.data) throw new Error("it is signed instead of protected by a password");
  return derContent(derInside(info[1], DerTag.context0)[0], DerTag.octetString);
}

function certificatesIn(safeContents: Buffer): Buffer[] {
  const found: Buffer[] = [];
  const [bags] = derInside({ tag: DerTag.sequence, content: safeContents }, DerTag.sequence);
  for (const bag of derInside(bags, DerTag.sequence)) {
    const [type, value] = derInside(bag, DerTag.sequence);
    if (derOid(type) !== OID.certificateBag) continue;
    const [, certificate] = derInside(derInside(value, DerTag.context0)[0], DerTag.sequence);
    found.push(derContent(derInside(certificate, DerTag.context0)[0], DerTag.octetString));
  }
  return found;
}

function decrypt(info: readonly DerValue[], password: string): Buffer {
  const [, encrypted] = derInside(derInside(info[1], DerTag.context0)[0], DerTag.sequence);
  const [, algorithm, bytes] = derInside(encrypted, DerTag.sequence);
  const [scheme, parameters] = derInside(algorithm, DerTag.sequence);
  if (derOid(scheme) !== OID.pbes2) {
    throw new Error(
      "it is protected in the old way (RC2, 3DES); write it anew with a current keytool: " +
        "keytool -importkeystore -srckeystore OLD -destkeystore NEW -deststoretype PKCS12",
    );
  }
  const [derivation, cipher] = derInside(parameters, DerTag.sequence);
  const [salt, rounds, ...rest] = derInside(derInside(derivation, DerTag.sequence)[1], DerTag.sequence);
  const prf = rest.find((value) => value.tag === DerTag.sequence);
  const hash = PRFS[prf === undefined ? "1.2.840.113549.2.7" : derOid(derInside(prf, DerTag.sequence)[0])];
  const [cipherOid, iv] = derInside(cipher, DerTag.sequence);
  const method = CIPHERS[derOid(cipherOid)];
  if (hash === undefined || method === undefined) throw new Error("its cipher or hash is not supported");
  const count = derNumber(rounds);
  if (count > ROUNDS_MAX) throw new Error(`it asks for ${count} rounds of hashing`);
  const key = pbkdf2Sync(password, derContent(salt, DerTag.octetString), count, method.keyBytes, hash);
  const decipher = createDecipheriv(method.name, key, derContent(iv, DerTag.octetString));
  try {
    return Buffer.concat([decipher.update(derContent(bytes, DerTag.context0Primitive)), decipher.final()]);
  } catch (error) {
    throw error instanceof RangeError ? error : new Error("the password is wrong or the file is damaged");
  }
}
