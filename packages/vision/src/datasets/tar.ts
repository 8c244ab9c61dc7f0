// Reads the files one asks for out of a tar archive, while it comes. Strict, and made for archives of which names and sizes
// are known beforehand: nothing is written anywhere, other entries are passed over, and no size that a header claims is
// believed beyond the caller's limit. Format: POSIX.1-2001 "ustar", and the older form without its magic.

import { DatasetError } from "./errors.ts";

const BLOCK = 512;

/** A field of a header: where it begins and ends. */
const NAME = [0, 100] as const;
const SIZE = [124, 136] as const;
const CHECKSUM = [148, 156] as const;
const TYPE = 156;
const MAGIC = [257, 262] as const;
const PREFIX = [345, 500] as const;

/** Types of entries that are plain files; all others are links, folders, and records about the entry that follows. */
const PLAIN: readonly number[] = [0, "0".charCodeAt(0), "7".charCodeAt(0)];

/**
 * The wanted files of an archive, by their paths in it.
 *
 * @param chunks the archive, unpacked, in pieces of any size
 * @param wanted the most bytes that each wanted file may have
 * @param file the archive's name, for errors
 * @param limit the most bytes that the whole archive may have
 * @throws DatasetError if a wanted file is missing, is too long, comes twice or is no plain file, or the archive is damaged
 */
export async function readTar(
  chunks: AsyncIterable<Uint8Array>,
  wanted: ReadonlyMap<string, number>,
  file: string,
  limit: number,
): Promise<Map<string, Uint8Array>> {
  const reader = new Reader(chunks, file, limit);
  const found = new Map<string, Uint8Array>();
  for (;;) {
    const at = reader.position;
    const header = new Uint8Array(BLOCK);
    // Two blocks of zeros end an archive; some end with none.
    if (!(await reader.fill(header, true)) || header.every((byte) => byte === 0)) break;
    const fail = (problem: string): never => {
      throw new DatasetError(file, `byte ${at}`, problem, "It is cut short or damaged: get it again.");
    };
    if (octal(header, CHECKSUM) !== checksumOf(header)) fail("there is no header of a tar archive");
    const size = octal(header, SIZE);
    if (size === null) fail("the size of an entry is no octal number");
    const name = nameOf(header);
    const most = wanted.get(name);
    if (most === undefined) {
      await reader.skip(roundUp(size!));
      continue;
    }
    if (!PLAIN.includes(header[TYPE])) fail(`${name} is no plain file`);
    if (found.has(name)) fail(`${name} comes twice`);
    if (size! > most) fail(`${name} has ${size} bytes, more than the expected ${most}`);
    const content = new Uint8Array(size!);
    await reader.fill(content);
    await reader.skip(roundUp(size!) - size!);
    found.set(name, content);
  }
  // To its end, so that the checksum of what it is packed in is looked at.
  await reader.drain();
  const missing = [...wanted.keys()].filter((name) => !found.has(name));
  if (missing.length > 0) {
    const problem = `it lacks ${missing.join(", ")}`;
    throw new DatasetError(file, "", problem, "It is not the archive it should be: get it again.");
  }
  return found;
}

const roundUp = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

function textOf(header: Uint8Array, [start, end]: readonly [number, number]): string {
  const field = header.subarray(start, end);
  const length = field.indexOf(0);
  return new TextDecoder("latin1").decode(length < 0 ? field : field.subarray(0, length));
}

/** A path without a leading "./". */
function nameOf(header: Uint8Array): string {
  const prefix = textOf(header, MAGIC) === "ustar" ? textOf(header, PREFIX) : "";
  const name = textOf(header, NAME);
  return (prefix === "" ? name : `${prefix}/${name}`).replace(/^\.\//, "");
}

/** An octal number between spaces; null for anything else, such as the binary numbers of files beyond 8 GiB. */
function octal(header: Uint8Array, field: readonly [number, number]): number | null {
  const digits = /^ *([0-7]{1,11}) *$/.exec(textOf(header, field))?.[1];
  return digits === undefined ? null : Number.parseInt(digits, 8);
}

/** The sum of a header's bytes, its own place counted as spaces. */
function checksumOf(header: Uint8Array): number {
  const [start, end] = CHECKSUM;
  return header.reduce((sum, byte, i) => sum + (i >= start && i < end ? 0x20 : byte), 0);
}

/** Reads pieces of any size as pieces of the wanted size. */
class Reader {
  position = 0;
  private readonly iterator: AsyncIterator<Uint8Array>;
  private chunk = new Uint8Array(0);
  private received = 0;

  constructor(
    chunks: AsyncIterable<Uint8Array>,
    private readonly file: string,
    private readonly limit: number,
  ) {
    this.iterator = chunks[Symbol.asyncIterator]();
  }

  /** Whether there is another byte; `chunk` then begins with it. */
  private async more(): Promise<boolean> {
    while (this.chunk.length === 0) {
      const { done, value } = await this.iterator.next();
      if (done) return false;
      this.received += value.length;
      if (this.received > this.limit) {
        const problem = `it unpacks to more than the expected ${this.limit} bytes`;
        throw new DatasetError(this.file, "", problem, "It is not the archive it should be: get it again.");
      }
      this.chunk = new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.length);
    }
    return true;
  }

  /** Up to `count` bytes, one at least. */
  private take(count: number): Uint8Array {
    const taken = this.chunk.subarray(0, count);
    this.chunk = this.chunk.subarray(taken.length);
    this.position += taken.length;
    return taken;
  }

  /** Fills a target. @returns false if there is not a single byte, where that is `optional` */
  async fill(target: Uint8Array, optional = false): Promise<boolean> {
    for (let at = 0; at < target.length; ) {
      if (!(await this.more())) {
        if (optional && at === 0) return false;
        this.cutShort();
      }
      const taken = this.take(target.length - at);
      target.set(taken, at);
      at += taken.length;
    }
    return true;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      if (!(await this.more())) this.cutShort();
      left -= this.take(left).length;
    }
  }

  async drain(): Promise<void> {
    while (await this.more()) this.take(this.chunk.length);
  }

  private cutShort(): never {
    const problem = "it ends within an entry";
    throw new DatasetError(this.file, `byte ${this.position}`, problem, "It is cut short: get it again.");
  }
}
