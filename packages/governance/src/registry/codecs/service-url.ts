// SPDX-License-Identifier: Apache-2.0
// URLs as Dubbo, SOFARPC, Motan, Kratos and D2 register them, and Java's way to make a znode's name of one.

/** A URL of a service, its parameters as they stand in the text. */
export interface ServiceUrl {
  readonly protocol: string;
  /** An IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Without the leading slash. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
}

const URL_PATTERN =
  /^([a-z][a-z0-9+.-]*):\/\/(?:[^@/?]*@)?(\[[^\]]*\]|[^:/?[]*)(?::(\d{1,5}))?(?:\/([^?]*))?(?:\?(.*))?$/i;

/** Undefined for what is no such URL. A missing port is 0. */
export function parseServiceUrl(text: string): ServiceUrl | undefined {
  const match = URL_PATTERN.exec(text);
  if (match === null) return undefined;
  const [, protocol = "", host = "", port = "0", path = "", query = ""] = match;
  return {
    protocol,
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port: Number(port),
    path,
    params: parseParams(query),
  };
}

/** `a=b&c=d` without any decoding; a part without "=" has an empty value. */
function parseParams(query: string): Record<string, string> {
  const pairs = query.split("&").filter((part) => part.length > 0);
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      return equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

/** The URL as text, parameters sorted by key as Dubbo does. */
export function serviceUrlText({ protocol, host, port, path, params }: ServiceUrl): string {
  const address = host.includes(":") ? `[${host}]` : host;
  const query = Object.keys(params)
    .sort()
    .map((key) => `${key}=${params[key]!}`)
    .join("&");
  return `${protocol}://${address}:${port}/${path}${query.length > 0 ? `?${query}` : ""}`;
}

/** As Java's `URLEncoder.encode(text, "UTF-8")`, byte for byte: another encoding is another znode. */
export function javaUrlEncode(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}

/** The reverse, or undefined where the escapes make no text. */
export function javaUrlDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", "%20"));
  } catch {
    return undefined;
  }
}
