/** The module names that a source text imports. */
export function importsOf(source: string): string[];
/** All problems of the packages under `packagesFolder`, one line each. */
export function checkPackages(packagesFolder: string): string[];
