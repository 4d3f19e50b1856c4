// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { AbortLinks } from "./abort-links.ts";
import { closeSessionOperation } from "./close-session.ts";
import { Request } from "./request.ts";

test("an abort reaches every request that is still linked, and only those of its signal", () => {
  const aborted: Request[] = [];
  const links: AbortLinks = new AbortLinks((request, signal) => {
    aborted.push(request);
    links.remove(request, signal);
  });
  const [one, two] = [new AbortController(), new AbortController()];
  const requests = Array.from({ length: 4 }, () => new Request(closeSessionOperation, "/"));
  const [a, b, c, d] = requests as [Request, Request, Request, Request];
  links.add(a, one.signal);
  links.add(b, one.signal);
  links.add(c, one.signal);
  links.add(d, two.signal);
  expect(links.size).toBe(2);
  links.remove(b, one.signal);
  one.abort();
  expect(aborted).toEqual([a, c]);
  expect(links.size).toBe(1);
  links.remove(d, two.signal);
  expect(links.size).toBe(0);
  two.abort();
  expect(aborted).toHaveLength(2);
});
