// SPDX-License-Identifier: Apache-2.0

/** Maps the caller's paths to the server's and back. An empty root maps every path to itself. */
export class Chroot {
  /** The server's path of the caller's `/`, or "" when they are the same. */
  readonly root: string;
  readonly #prefix: string;

  /** `root` is a valid path or "". */
  constructor(root: string) {
    this.root = root === "/" ? "" : root;
    this.#prefix = `${this.root}/`;
  }

  /** The server's path of a caller's path. */
  outward(path: string): string {
    if (this.root === "") return path;
    return path.length === 1 ? this.root : this.root + path;
  }

  /**
   * The caller's path of a server's path. Compared segment by segment: `/app` is no root of `/apple`. A
   * path outside the root (only the server's own mistakes produce one) stays as it is.
   */
  inward(path: string): string {
    if (this.root === "") return path;
    if (path === this.root) return "/";
    return path.startsWith(this.#prefix) ? path.slice(this.root.length) : path;
  }
}
