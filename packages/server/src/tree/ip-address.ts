// SPDX-License-Identifier: Apache-2.0
// IP addresses and prefixes, for ACL entries of the scheme `ip`.

function ipv4Bytes(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = parts.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** The 16-bit groups of one side of `::`; a trailing IPv4 address counts as two. */
function groupBytes(text: string): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (index === groups.length - 1 && group.includes(".")) {
      const tail = ipv4Bytes(group);
      if (tail === undefined) return undefined;
      bytes.push(...tail);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

function ipv6Bytes(text: string): number[] | undefined {
  const sides = text.split("::");
  if (sides.length > 2) return undefined;
  const left = groupBytes(sides[0] ?? "");
  const right = sides.length === 2 ? groupBytes(sides[1] ?? "") : [];
  if (left === undefined || right === undefined) return undefined;
  const missing = 16 - left.length - right.length;
  if (sides.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return [...left, ...new Array<number>(missing).fill(0), ...right];
}

/** The 4 or 16 bytes of an address, an IPv4 address inside IPv6 as its 4; undefined when it is none. */
export function addressBytes(text: string): number[] | undefined {
  if (!text.includes(":")) return ipv4Bytes(text);
  const bytes = ipv6Bytes(text.replace(/%.*$/, ""));
  const mapped = bytes?.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes?.slice(12) : bytes;
}

function parsePrefix(text: string): { readonly bytes: number[]; readonly bits: number } | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const bytes = addressBytes(address);
  if (bytes === undefined || rest.length > 0) return undefined;
  if (length === undefined) return { bytes, bits: bytes.length * 8 };
  if (!/^\d{1,3}$/.test(length) || Number(length) > bytes.length * 8) return undefined;
  return { bytes, bits: Number(length) };
}

/** Whether a text is an address or `address/bits`. */
export function isAddressPrefix(text: string): boolean {
  return parsePrefix(text) !== undefined;
}

/** Whether an address lies in `address[/bits]`. */
export function addressMatches(address: string, prefixText: string): boolean {
  const bytes = addressBytes(address);
  const prefix = parsePrefix(prefixText);
  if (bytes === undefined || prefix === undefined || bytes.length !== prefix.bytes.length) return false;
  for (let index = 0; index * 8 < prefix.bits; index++) {
    const bits = Math.min(prefix.bits - index * 8, 8);
    const mask = (0xff00 >> bits) & 0xff;
    if (((bytes[index] as number) & mask) !== ((prefix.bytes[index] as number) & mask)) return false;
  }
  return true;
}
