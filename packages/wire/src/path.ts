// SPDX-License-Identifier: Apache-2.0
// Paths of znodes: the rules of ZooKeeper's PathUtils, and cutting and joining.

/** True for a UTF-16 code unit that may not stand in a path. */
function forbiddenUnit(unit: number): boolean {
  return (
    unit <= 0x1f ||
    (unit >= 0x7f && unit <= 0x9f) ||
    (unit >= 0xd800 && unit <= 0xf8ff) ||
    (unit >= 0xfff0 && unit <= 0xffff)
  );
}

/**
 * What is wrong with a path, as the end of a sentence ("must start with /"), or undefined when it is
 * valid: absolute, no trailing slash, no empty, `.` or `..` segment, no control, surrogate, private-use
 * or special character (ZooKeeper 3.9 PathUtils.validatePath).
 */
export function pathProblem(path: string): string | undefined {
  const length = path.length;
  if (length === 0) return "must not be empty";
  if (path.charCodeAt(0) !== 0x2f) return "must start with /";
  if (length === 1) return undefined;
  if (path.charCodeAt(length - 1) === 0x2f) return "must not end with /";
  let dots = 0;
  let segmentStart = 1;
  for (let index = 1; index <= length; index++) {
    const unit = index === length ? 0x2f : path.charCodeAt(index);
    if (unit === 0x2f) {
      const segmentLength = index - segmentStart;
      if (segmentLength === 0) return "must not contain an empty segment (//)";
      if (segmentLength === dots && dots <= 2) return "must not contain a . or .. segment";
      segmentStart = index + 1;
      dots = 0;
    } else if (unit === 0x2e) {
      dots++;
    } else if (forbiddenUnit(unit)) {
      return `must not contain the character U+${unit.toString(16).toUpperCase().padStart(4, "0")} (at index ${index})`;
    }
  }
  return undefined;
}

/** The parent of a valid path: `/a/b` gives `/a`, `/a` gives `/`. `/` has none and gives `/`. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/** The last segment of a path: `/a/b` gives `b`, `/` gives the empty string. */
export function nodeName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Puts a child's name under a parent's path. */
export function joinPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/**
 * The suffix of a sequential znode, as Java's `%010d` prints it: 10 characters, a minus included, so that
 * only counters below -999999999 (after a wrap) take 11.
 */
export function sequenceSuffix(counter: number): string {
  return counter < 0 ? `-${String(-counter).padStart(9, "0")}` : String(counter).padStart(10, "0");
}
