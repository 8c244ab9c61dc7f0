// Makes tar archives for tests, well-formed and otherwise (POSIX.1-2001 "ustar").

export interface TarEntry {
  readonly name: string;
  readonly content?: Uint8Array;
  /** The type of the entry. Default "0", a plain file. */
  readonly type?: string;
  /** The size that the header claims, as its text. Default: the content's. */
  readonly size?: string;
  /** A folder before the name, in its own field. */
  readonly prefix?: string;
  /** Whether the header's checksum is wrong. */
  readonly wrongSum?: boolean;
}

export function tarOf(entries: readonly TarEntry[], { end = true } = {}): Uint8Array {
  const blocks = entries.flatMap(
    ({ name, content = new Uint8Array(0), type = "0", size, prefix = "", wrongSum = false }) => {
      const header = new Uint8Array(512);
      const put = (text: string, at: number): void => header.set(new TextEncoder().encode(text), at);
      put(name, 0);
      put("0000644\0", 100);
      put(size ?? `${content.length.toString(8).padStart(11, "0")}\0`, 124);
      put("        ", 148);
      put(type, 156);
      put("ustar\x0000", 257);
      put(prefix, 345);
      const sum = header.reduce((total, byte) => total + byte, wrongSum ? 1 : 0);
      put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
      const padded = new Uint8Array(Math.ceil(content.length / 512) * 512);
      padded.set(content);
      return [header, padded];
    },
  );
  return Buffer.concat(end ? [...blocks, new Uint8Array(1024)] : blocks);
}
