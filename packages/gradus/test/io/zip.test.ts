// ZIP archives: what other writers make is read, and archives that lie are refused before anything is made of them.

import { type ZipOptions, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../src/io/crc32.ts";
import { MemoryBudget, MemoryLimitError } from "../../src/io/limits.ts";
import { readZip } from "../../src/io/zip.ts";
import { bytesOf, errorOf, goldenFile, type Piece, u32, u64 } from "./files.ts";

const encoder = new TextEncoder();

const read = (bytes: Uint8Array, maxBytes?: number) =>
  readZip(bytes, "a.zip", new MemoryBudget("a.zip", bytes.length, maxBytes === undefined ? {} : { maxBytes }));

const zipped = (files: Readonly<Record<string, string>>, options: ZipOptions = {}): Uint8Array =>
  zipSync(Object.fromEntries(Object.entries(files).map(([name, content]) => [name, encoder.encode(content)])), options);

/** A copy with 16 or 32 bits replaced. */
function patched(bytes: Uint8Array, at: number, value: number, width: 2 | 4 = 4): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  if (width === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
  return copy;
}

/** Where a record of a signature begins, counted from the first one. */
function find(bytes: Uint8Array, signature: number, which = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at + 4 <= bytes.length; at++) if (view.getUint32(at, true) === signature && which-- === 0) return at;
  throw new Error("no such record");
}

const central = (bytes: Uint8Array, which = 0): number => find(bytes, 0x02014b50, which);
const end = (bytes: Uint8Array): number => find(bytes, 0x06054b50);

describe("the checksum", () => {
  test("is CRC-32: its check value, and every length of the last few bytes", () => {
    expect(crc32(encoder.encode("123456789"))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => (i * 73 + 5) % 256);
    for (let length = 0; length <= 40; length++) {
      let crc = 0xffffffff;
      for (const byte of bytes.subarray(0, length)) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
      }
      expect(crc32(bytes.subarray(0, length))).toBe(~crc >>> 0);
    }
  });
});

describe("an archive", () => {
  const files = { "a.txt": "one", "é/b": "two ".repeat(100), empty: "" };

  test.each([0, 6] as const)("of level %i gives back names, sizes and contents", (level) => {
    const entries = read(zipped(files, { level }));
    expect([...entries.values()].map(({ name, size, read }) => [name, size, new TextDecoder().decode(read())])).toEqual(
      Object.entries(files).map(([name, content]) => [name, content.length, content]),
    );
  });

  test("with a comment is read, and one without entries", () => {
    expect(read(zipped(files, { comment: "é" })).size).toBe(3);
    const bytes = zipped({});
    const commented = bytesOf(patched(bytes, bytes.length - 2, 5, 2), "hello");
    expect(read(commented).size).toBe(0);
  });

  test("with ZIP64 records is read: sizes and places of 64 bits", () => {
    const content = encoder.encode("content");
    const header = (signature: number, ...fields: readonly Piece[]) => bytesOf(u32(signature), ...fields);
    const local = header(0x04034b50, Array(10).fill(0), u32(0), u32(7), u32(7), [1, 0, 0, 0], "a", content);
    const extra = bytesOf([1, 0, 24, 0], u64(7n), u64(7n), u64(0n));
    const listed = header(
      0x02014b50,
      Array(12).fill(0),
      u32(crc32(content)),
      u32(2 ** 32 - 1),
      u32(2 ** 32 - 1),
      [1, 0, extra.length, 0],
      Array(10).fill(0),
      u32(2 ** 32 - 1),
      "a",
      extra,
    );
    const [start, size] = [BigInt(local.length), BigInt(listed.length)];
    const end64 = header(0x06064b50, u64(44n), Array(12).fill(0), u64(1n), u64(1n), u64(size), u64(start));
    const locator = header(0x07064b50, u32(0), u64(start + size), u32(1));
    const last = header(0x06054b50, Array(4).fill(0), Array(4).fill(0xff), Array(8).fill(0xff), [0, 0]);
    const whole = bytesOf(local, listed, end64, locator, last);
    expect(new TextDecoder().decode(read(whole).get("a")!.read())).toBe("content");

    const far = patched(whole, whole.length - last.length - locator.length + 12, 1);
    expect(errorOf(() => read(far)).message).toMatch(/the ZIP64 end record is not at byte/);
    const noLocator = bytesOf(local, listed, last);
    expect(errorOf(() => read(noLocator)).message).toMatch(/the ZIP64 locator is not at byte/);
    const short = Uint8Array.from(whole);
    short[local.length + 46 + 1 + 2] = 16;
    expect(errorOf(() => read(short)).message).toMatch(/its ZIP64 field is too short/);
    const missing = Uint8Array.from(whole);
    missing[local.length + 46 + 1] = 2;
    expect(errorOf(() => read(missing)).message).toMatch(/its ZIP64 field is missing/);
  });

  test.each<readonly [string, (bytes: Uint8Array) => Uint8Array, RegExp]>([
    [
      "a directory past the end",
      (b) => patched(b, end(b) + 16, b.length),
      /the directory, \d+ bytes from \d+, is not within/,
    ],
    [
      "an entry too many",
      (b) => patched(patched(b, end(b) + 10, 4, 2), end(b) + 8, 4, 2),
      /entry 3 of the directory is not/,
    ],
    [
      "an entry too few",
      (b) => patched(patched(b, end(b) + 10, 2, 2), end(b) + 8, 2, 2),
      /goes on after its 2 entries/,
    ],
    ["several files", (b) => patched(b, end(b) + 4, 1, 2), /split over several files/],
    ["encryption", (b) => patched(b, central(b) + 8, 1, 2), /it is encrypted/],
    ["LZMA", (b) => patched(b, central(b) + 10, 14, 2), /compression method 14 is not supported/],
    ["a name too long", (b) => patched(b, central(b) + 28, 60_000, 2), /ends past the directory/],
    ["another name in front", (b) => patched(b, 30, 0x41414141), /its local header has another name/],
    ["no local header", (b) => patched(b, central(b) + 42, 1), /its local header is not at byte 1/],
    ["a place past the end", (b) => patched(b, central(b) + 42, 2 ** 31), /its local header is not at byte/],
    [
      "contents past the directory",
      (b) => patched(patched(b, central(b) + 20, 9999), central(b) + 24, 9999),
      /in front of the dir/,
    ],
    ["two sizes of stored bytes", (b) => patched(b, central(b) + 24, 5), /sizes are 5 and 3/],
    ["the same name twice", (b) => patched(b, central(b, 1) + 42, 0), /inside of another entry|another name/],
    ["another checksum", (b) => patched(b, central(b) + 16, 7), /checksum is \d+, and 7 was expected/],
  ])("with %s is refused", (_, change, message) => {
    const bytes = zipped(files, { level: 0 });
    expect(errorOf(() => [...read(change(bytes)).values()].map((entry) => entry.read())).message).toMatch(message);
  });

  test("whose entries are one and the same bytes is refused: no better bomb", () => {
    const bytes = zipped({ a: "content", b: "content" }, { level: 0 });
    const renamed = patched(bytes, central(bytes, 1) + 42, 0);
    renamed[central(bytes, 1) + 46] = "a".charCodeAt(0);
    expect(errorOf(() => read(renamed)).message).toMatch(/entry "a": it begins at 0, inside of another entry/);
  });
});

describe("compressed entries", () => {
  const zeros = (count: number) => zipSync({ zeros: new Uint8Array(count) }, { level: 9 });
  const open = (bytes: Uint8Array, maxBytes?: number) => read(bytes, maxBytes).get("zeros")!.read();

  test("that become more than is allowed are refused before memory is taken: a bomb of 64 MB in 64 kB", () => {
    const bomb = zeros(2 ** 26);
    expect(bomb.length).toBeLessThan(70_000);
    const error = errorOf(() => open(bomb, 2 ** 20));
    expect(error).toBeInstanceOf(MemoryLimitError);
    expect(error.message).toMatch(/67108864 bytes are needed and 1048576 of the allowed 1048576 are left/);
    expect(open(bomb).length).toBe(2 ** 26);
  });

  test("that claim more than they can hold are refused", () => {
    const bytes = zeros(1000);
    const claiming = (size: number) => patched(bytes, central(bytes) + 24, size);
    expect(errorOf(() => open(claiming(2 ** 31))).message).toMatch(/compressed bytes cannot hold the 2147483648/);
    expect(errorOf(() => open(claiming(1001))).message).toMatch(/holds fewer than the 1001 bytes/);
    expect(errorOf(() => open(claiming(999))).message).toMatch(/holds more than the 999 bytes/);
    expect(errorOf(() => open(claiming(0))).message).toMatch(/holds more than the 0 bytes|cannot be decompressed/);
  });

  test("that are damaged are refused, whatever byte it is", () => {
    const bytes = goldenFile("compressed.npz");
    const size = central(bytes);
    for (let at = 0; at < size; at += 3) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] ^= 0x55;
      let refused = 0;
      try {
        for (const entry of read(damaged).values()) entry.read();
      } catch (error) {
        refused = 1;
        errorOf(() => {
          throw error;
        });
      }
      // What is not looked at: times and sizes in local headers, which the directory has as well.
      if (refused === 0) expect(at).toBeLessThan(size);
    }
  });
});
