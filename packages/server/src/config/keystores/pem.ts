// SPDX-License-Identifier: Apache-2.0

/** DER as PEM, the form that TLS takes. */
export function pem(label: "CERTIFICATE" | "PRIVATE KEY", der: Buffer): string {
  const lines = der.toString("base64").replaceAll(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
