// SPDX-License-Identifier: Apache-2.0
// Java's old key store format (type JKS), read for the TLS listener. Its protection is Sun's own: a SHA-1 key
// stream over the private key, a SHA-1 checksum with the password over the file.
import { createHash } from "node:crypto";
import { DerTag, derContent, derInside } from "./der.ts";

const MAGIC = 0xfeedfeed;
const PRIVATE_KEY = 1;
const CERTIFICATE = 2;
const SHA1_BYTES = 20;
const SEAL_PHRASE = "Mighty Aphrodite";

/** What a store holds, in DER. */
export interface JksContent {
  /** Private keys (PKCS #8) with their chains, the own certificate first. */
  readonly keys: readonly { readonly key: Buffer; readonly chain: readonly Buffer[] }[];
  readonly trusted: readonly Buffer[];
}

/** Whether the bytes are of this format. Files called .jks often are PKCS #12, Java's default since 9. */
export function isJks(bytes: Buffer): boolean {
  return bytes.length > 4 && bytes.readUInt32BE(0) === MAGIC;
}

/**
 * Reads a store whose keys have the store's password, as ZooKeeper wants it. Throws an `Error` (a `RangeError` for
 * a file that is cut short) that says what is wrong and shows no secret.
 */
export function readJks(bytes: Buffer, password: string): JksContent {
  const secret = Buffer.from(password, "utf16le").swap16();
  const body = bytes.subarray(0, -SHA1_BYTES);
  const seal = createHash("sha1").update(secret).update(SEAL_PHRASE).update(body).digest();
  if (!seal.equals(bytes.subarray(-SHA1_BYTES))) {
    throw new Error("the password is wrong or the file is damaged");
  }
  return new JksReader(body, secret).read();
}

class JksReader {
  readonly #bytes: Buffer;
  readonly #secret: Buffer;
  #position = 4;

  constructor(bytes: Buffer, secret: Buffer) {
    this.#bytes = bytes;
    this.#secret = secret;
  }

  read(): JksContent {
    const version = this.#number();
    const keys: { key: Buffer; chain: Buffer[] }[] = [];
    const trusted: Buffer[] = [];
    for (let left = this.#number(); left > 0; left--) {
      const tag = this.#number();
      this.#text(); // alias
      this.#position += 8; // date
      if (tag === CERTIFICATE) trusted.push(this.#certificate(version));
      else if (tag === PRIVATE_KEY) {
        const sealed = this.#block(this.#number());
        const chain: Buffer[] = [];
        for (let length = this.#number(); length > 0; length--) chain.push(this.#certificate(version));
        keys.push({ key: openKey(sealed, this.#secret), chain });
      } else throw new Error(`there is an entry of kind ${tag}, which only type JCEKS has`);
    }
    return { keys, trusted };
  }

  #certificate(version: number): Buffer {
    if (version > 1) this.#text(); // X.509
    return this.#block(this.#number());
  }

  #number(): number {
    this.#position += 4;
    return this.#bytes.readUInt32BE(this.#position - 4);
  }

  #text(): void {
    this.#position += 2 + this.#bytes.readUInt16BE(this.#position);
  }

  #block(length: number): Buffer {
    const start = this.#position;
    this.#position += length;
    if (this.#position > this.#bytes.length) throw new RangeError("the file is cut short");
    return this.#bytes.subarray(start, this.#position);
  }
}

/** Takes Sun's protection off a key: salt, key XOR stream, checksum. */
function openKey(sealed: Buffer, secret: Buffer): Buffer {
  const [info] = derInside({ tag: DerTag.sequence, content: sealed }, DerTag.sequence);
  const data = derContent(derInside(info, DerTag.sequence)[1], DerTag.octetString);
  const body = Buffer.from(data.subarray(SHA1_BYTES, -SHA1_BYTES));
  let stream = data.subarray(0, SHA1_BYTES);
  for (let offset = 0; offset < body.length; offset++) {
    const at = offset % SHA1_BYTES;
    if (at === 0) stream = createHash("sha1").update(secret).update(stream).digest();
    body.writeUInt8(body.readUInt8(offset) ^ stream.readUInt8(at), offset);
  }
  const checksum = createHash("sha1").update(secret).update(body).digest();
  if (!checksum.equals(data.subarray(-SHA1_BYTES))) {
    throw new Error("its key has another password than the store; give both the same");
  }
  return body;
}
