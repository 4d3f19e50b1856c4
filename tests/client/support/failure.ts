// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperError } from "@meerkat/client";

/** The error that a promise rejects with. */
export function failure(promise: Promise<unknown>): Promise<ZooKeeperError> {
  return promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: ZooKeeperError) => error,
  );
}
