// SPDX-License-Identifier: Apache-2.0
// The `Server` section of a JAAS file, as ZooKeeper's DigestLoginModule reads it.

/** Users and passwords of `Server { … user_NAME="password"; };`. Empty when there is no such section. */
export function parseJaasUsers(text: string): Record<string, string> {
  const withoutComments = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const section = /(?:^|[\s;}])Server\s*\{([\s\S]*?)\}\s*;/.exec(withoutComments)?.[1] ?? "";
  const users: Record<string, string> = {};
  for (const match of section.matchAll(/user_([^\s="]+)\s*=\s*"((?:[^"\\]|\\.)*)"/g)) {
    users[match[1] as string] = (match[2] as string).replaceAll(/\\(.)/g, "$1");
  }
  return users;
}
