// Reads ZIP archives, of which PyTorch's .pt and NumPy's .npz files are made: stored and deflated entries, ZIP64 included.
// The archive is treated as hostile: the directory, every header and every size is compared with the bytes that are there
// before it is used; entries may not overlap; what is decompressed is counted before it is made; checksums are compared.
// Format: PKWARE's APPNOTE.TXT. Bombs by overlapping entries: Fifield, "A better zip bomb", 2019. Leans on inflate.ts.

import { crc32 } from "./crc32.ts";
import { FileFormatError, quoted } from "./errors.ts";
import { inflate } from "./inflate.ts";
import type { MemoryBudget } from "./limits.ts";
import { textOf } from "./raw.ts";

export interface ZipEntry {
  readonly name: string;
  /** Bytes of its content. */
  readonly size: number;
  /**
   * Its content: a view of the archive's bytes where they are stored, new memory where they are compressed.
   * @throws FileFormatError if the bytes are not what the directory says
   */
  read(): Uint8Array;
}

// Signatures and fixed sizes of the records.
const LOCAL = { signature: 0x04034b50, size: 30 };
const CENTRAL = { signature: 0x02014b50, size: 46 };
const END = { signature: 0x06054b50, size: 22 };
const END64_LOCATOR = { signature: 0x07064b50, size: 20 };
const END64 = { signature: 0x06064b50, size: 56 };

const LONGEST_COMMENT = 0xffff;
const IS_ENCRYPTED = 1;
const ZIP64_FIELD = 1;
/** What stands in 16 and 32 bits when the number is in a ZIP64 record. */
const ELSEWHERE16 = 0xffff;
const ELSEWHERE32 = 0xffffffff;

/** No deflated byte stands for more than 1032: a match of 258 takes two bits. */
const MOST_EXPANSION = 1032;

const METHODS: ReadonlyMap<number, "stored" | "deflated"> = new Map([
  [0, "stored"],
  [8, "deflated"],
]);

/** What the directory says of an entry. */
interface Listed {
  readonly name: string;
  readonly method: "stored" | "deflated";
  readonly checksum: number;
  readonly compressed: number;
  readonly size: number;
  /** Where its local header begins. */
  readonly at: number;
}

/** Whether bytes begin like an archive with at least one entry. */
export function looksLikeZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === LOCAL.signature;
}

/**
 * Reads the directory of an archive; contents are read when they are asked for.
 *
 * @param bytes the whole archive
 * @param file its name, for errors
 * @param budget what is decompressed is counted there
 * @returns entries by name, in the directory's order
 * @throws FileFormatError if it is cut short, damaged, encrypted, or compressed in another way
 */
export function readZip(bytes: Uint8Array, file: string, budget: MemoryBudget): ReadonlyMap<string, ZipEntry> {
  return new ZipReader(bytes, file, budget).entries();
}

class ZipReader {
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
    private readonly budget: MemoryBudget,
  ) {
    this.view = viewOf(bytes);
  }

  entries(): Map<string, ZipEntry> {
    const directory = this.directory();
    const listed = this.listed(directory);
    const starts = new Map(listed.map((entry) => [entry, this.dataStart(entry, directory.at)]));
    // In the order of the file, each ends before the next one begins.
    let end = 0;
    for (const entry of [...listed].sort((a, b) => a.at - b.at)) {
      if (entry.at < end) this.fail(`entry ${quoted(entry.name)}`, `it begins at ${entry.at}, inside of another entry`);
      end = starts.get(entry)! + entry.compressed;
    }
    const entries = new Map<string, ZipEntry>();
    for (const entry of listed) {
      if (entries.has(entry.name)) this.fail(`entry ${quoted(entry.name)}`, "the name occurs twice");
      const { name, size } = entry;
      entries.set(name, { name, size, read: () => this.content(entry, starts.get(entry)!) });
    }
    return entries;
  }

  /** Finds the directory by the record at the end of the file. */
  private directory(): { at: number; end: number; count: number } {
    const at = this.endRecord();
    const place = `byte ${at}`;
    const disks = this.u16(at + 4) + this.u16(at + 6);
    let count = this.u16(at + 10);
    let size = this.u32(at + 12);
    let start = this.u32(at + 16);
    let limit = at;
    if (count === ELSEWHERE16 || size === ELSEWHERE32 || start === ELSEWHERE32) {
      const locator = at - END64_LOCATOR.size;
      this.expect(END64_LOCATOR, locator, "the ZIP64 locator");
      limit = this.u64(locator + 8);
      this.expect(END64, limit, "the ZIP64 end record");
      count = this.u64(limit + 32);
      size = this.u64(limit + 40);
      start = this.u64(limit + 48);
    } else if (disks !== 0 || this.u16(at + 8) !== count) {
      this.fail(place, "the archive is split over several files");
    }
    const end = start + size;
    if (end > limit) this.fail(place, `the directory, ${size} bytes from ${start}, is not within the file`);
    return { at: start, end, count };
  }

  /** The last place where an end record fits whose comment reaches to the file's very end. */
  private endRecord(): number {
    const last = this.bytes.length - END.size;
    for (let at = last; at >= 0 && at >= last - LONGEST_COMMENT; at--) {
      if (this.u32(at) === END.signature && this.u16(at + 20) === last - at) return at;
    }
    this.fail(`byte ${Math.max(0, last)}`, "there is no end of a ZIP archive");
  }

  private listed(directory: { at: number; end: number; count: number }): Listed[] {
    const listed: Listed[] = [];
    let { at } = directory;
    for (let i = 0; i < directory.count; i++) {
      this.expect(CENTRAL, at, `entry ${i} of the directory`, directory.end);
      const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => this.u16(at + offset));
      const extraStart = at + CENTRAL.size + nameLength;
      const next = extraStart + extraLength + commentLength;
      if (next > directory.end) this.fail(`byte ${at}`, `entry ${i} of the directory ends past the directory`);
      const name = this.name(at + CENTRAL.size, extraStart);
      listed.push(this.listedAt(at, name, extraStart, extraStart + extraLength));
      at = next;
    }
    if (at !== directory.end) this.fail(`byte ${at}`, `the directory goes on after its ${directory.count} entries`);
    return listed;
  }

  private listedAt(at: number, name: string, extraStart: number, extraEnd: number): Listed {
    const place = `entry ${quoted(name)}`;
    if (this.u16(at + 8) & IS_ENCRYPTED) this.fail(place, "it is encrypted", "Write the file without a password.");
    const code = this.u16(at + 10);
    const method = METHODS.get(code);
    if (method === undefined) {
      this.fail(place, `compression method ${code} is not supported`, "Write it stored or deflated.");
    }
    // What did not fit stands in the ZIP64 field, in this order, and only what did not fit.
    const [size, compressed, start] = this.wide(
      [24, 20, 42].map((offset) => this.u32(at + offset)),
      extraStart,
      extraEnd,
      place,
    );
    if (method === "stored" && size !== compressed) {
      this.fail(place, `it is stored as it is, but its sizes are ${size} and ${compressed}`);
    }
    return { name, method, checksum: this.u32(at + 16), compressed, size, at: start };
  }

  private wide(numbers: readonly number[], start: number, end: number, place: string): number[] {
    if (!numbers.includes(ELSEWHERE32)) return [...numbers];
    for (let at = start; at + 4 <= end; at += 4 + this.u16(at + 2)) {
      if (this.u16(at) !== ZIP64_FIELD) continue;
      let from = at + 4;
      const fieldEnd = Math.min(end, from + this.u16(at + 2));
      return numbers.map((number) => {
        if (number !== ELSEWHERE32) return number;
        from += 8;
        if (from > fieldEnd) this.fail(place, "its ZIP64 field is too short");
        return this.u64(from - 8);
      });
    }
    this.fail(place, "its ZIP64 field is missing");
  }

  /** Where an entry's bytes begin: after its local header, which has to agree with the directory. */
  private dataStart(entry: Listed, directoryStart: number): number {
    const { name, at, compressed } = entry;
    const place = `entry ${quoted(name)}`;
    this.expect(LOCAL, at, "its local header", directoryStart, place);
    const nameEnd = at + LOCAL.size + this.u16(at + 26);
    const start = nameEnd + this.u16(at + 28);
    if (start + compressed > directoryStart) {
      this.fail(place, `its ${compressed} bytes from ${start} are not in front of the directory at ${directoryStart}`);
    }
    if (this.name(at + LOCAL.size, nameEnd) !== name) this.fail(place, "its local header has another name");
    return start;
  }

  private content(entry: Listed, start: number): Uint8Array {
    const raw = this.bytes.subarray(start, start + entry.compressed);
    const content = entry.method === "stored" ? raw : this.inflated(entry, raw);
    const found = crc32(content);
    if (found !== entry.checksum) {
      this.fail(`entry ${quoted(entry.name)}`, `its checksum is ${found}, and ${entry.checksum} was expected`);
    }
    return content;
  }

  private inflated({ name, size }: Listed, raw: Uint8Array): Uint8Array {
    const place = `entry ${quoted(name)}`;
    if (size > raw.length * MOST_EXPANSION) {
      this.fail(place, `${raw.length} compressed bytes cannot hold the ${size} that it claims`);
    }
    if (inflate === null) {
      this.fail(
        place,
        "it is compressed, and fflate is not there to decompress it",
        "Add fflate to the import map, or bundle it.",
      );
    }
    this.budget.spend(size, place);
    let content: Uint8Array;
    try {
      // One byte more, by which too long a content is told from one that fits.
      content = inflate(raw, { out: new Uint8Array(size + 1) });
    } catch (error) {
      this.fail(place, `its bytes cannot be decompressed (${(error as Error).message})`);
    }
    if (content.length !== size) {
      this.fail(place, `it holds ${content.length > size ? "more" : "fewer"} than the ${size} bytes that it claims`);
    }
    return content;
  }

  private name(begin: number, end: number): string {
    return textOf(this.bytes, begin, end) ?? this.fail(`byte ${begin}`, "an entry's name is not UTF-8 text");
  }

  private expect(
    record: { readonly signature: number; readonly size: number },
    at: number,
    what: string,
    end = this.bytes.length,
    place = `byte ${at}`,
  ): void {
    if (at < 0 || at + record.size > end || this.u32(at) !== record.signature) {
      this.fail(place, `${what} is not at byte ${at}`);
    }
  }

  private u16(at: number): number {
    return this.view.getUint16(at, true);
  }

  private u32(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** Numbers of 2^53 and more are not exact, but still larger than any file. */
  private u64(at: number): number {
    return Number(this.view.getBigUint64(at, true));
  }

  private fail(
    place: string,
    problem: string,
    remedy = "The file is cut short, damaged or of another format: get it again.",
  ): never {
    throw new FileFormatError(this.file, place, problem, remedy);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
