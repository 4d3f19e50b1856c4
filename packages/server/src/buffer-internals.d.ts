// Node's Buffer has these methods on every version we support; @types/node leaves them out.
interface Buffer {
  utf8Slice(start: number, end: number): string;
  utf8Write(text: string, offset: number): number;
}
