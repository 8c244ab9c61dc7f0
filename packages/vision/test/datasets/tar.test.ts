// Reading tar archives: in pieces of any size, only what is asked for, and never more than was said.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTar } from "../../src/datasets/tar.ts";
import { DatasetError } from "../../src/index.ts";
import { type TarEntry, tarOf } from "./tar-writer.ts";

const bytes = (length: number, salt = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + salt) & 0xff);

async function* pieces(archive: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < archive.length; at += size) yield archive.subarray(at, at + size);
}

const read = (archive: Uint8Array, wanted: Record<string, number>, size = 777, limit = 1e6) =>
  readTar(pieces(archive, size), new Map(Object.entries(wanted)), "x.tar", limit);

const entries: readonly TarEntry[] = [
  { name: "data/", type: "5" },
  { name: "data/a.bin", content: bytes(1000, 1) },
  { name: "data/other.bin", content: bytes(3000, 2) },
  { name: "./data/b.bin", content: bytes(512, 3), type: "\0" },
  { name: "c.bin", prefix: "data/deep", content: bytes(1, 4) },
  { name: "data/empty" },
];

describe("a tar archive", () => {
  it("gives the wanted files, whatever the pieces in which it comes", async () => {
    const wanted = { "data/a.bin": 1000, "data/b.bin": 600, "data/deep/c.bin": 1, "data/empty": 0 };
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6000 }), fc.boolean(), async (size, end) => {
        const found = await read(tarOf(entries, { end }), wanted, size);
        expect(Object.fromEntries(found)).toEqual({
          "data/a.bin": bytes(1000, 1),
          "data/b.bin": bytes(512, 3),
          "data/deep/c.bin": bytes(1, 4),
          "data/empty": new Uint8Array(0),
        });
      }),
      { numRuns: 30 },
    );
  });

  it("is read as the system's tar writes it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "gradus-tar-"));
    try {
      writeFileSync(join(folder, "a.bin"), bytes(1234));
      const archive = execFileSync("tar", ["-cf", "-", "-C", folder, "./a.bin"]);
      expect((await read(archive, { "a.bin": 2000 })).get("a.bin")).toEqual(bytes(1234));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const one = (entry: Partial<TarEntry>): Uint8Array => tarOf([{ name: "a", content: bytes(100), ...entry }]);

  it.each([
    ["no archive", bytes(2000), /byte 0: there is no header of a tar archive/],
    ["a wrong checksum", one({ wrongSum: true }), /byte 0: there is no header/],
    ["a file longer than expected", one({ content: bytes(101) }), /a has 101 bytes, more than the expected 100/],
    ["a claim of eight gigabytes", one({ size: "77777777777\0" }), /a has 8589934591 bytes, more than/],
    ["a binary size", one({ size: "\x7f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00d" }), /no octal number/],
    ["a link", one({ type: "2", content: new Uint8Array(0) }), /a is no plain file/],
    ["a folder under the file's name", one({ type: "5", content: new Uint8Array(0) }), /a is no plain file/],
    ["the same file twice", tarOf([{ name: "a" }, { name: "./a" }]), /byte 512: a comes twice/],
    ["a file that is missing", tarOf([{ name: "b" }, { name: "../a" }, { name: "/a" }]), /it lacks a\./],
    ["an empty archive", new Uint8Array(0), /it lacks a\./],
    ["an end within a file", one({}).subarray(0, 600), /byte 600: it ends within an entry/],
    ["an end within a header", one({}).subarray(0, 300), /byte 300: it ends within an entry/],
    [
      "an end within a file that is not wanted",
      tarOf([{ name: "b", content: bytes(900) }]).subarray(0, 700),
      /ends within/,
    ],
  ])("is refused for %s", async (_, archive, message) => {
    const reading = read(archive, { a: 100 });
    await expect(reading).rejects.toThrow(DatasetError);
    await expect(reading).rejects.toThrow(message);
  });

  it("is not read beyond its limit", async () => {
    let given = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield tarOf([{ name: "b", size: "77777777777\0" }], { end: false });
      for (; ; given++) yield new Uint8Array(1000);
    }
    const reading = readTar(endless(), new Map([["a", 100]]), "x.tar", 20_000);
    await expect(reading).rejects.toThrow("x.tar: it unpacks to more than the expected 20000 bytes");
    expect(given).toBeLessThan(21);
  });

  it("never crashes on damage: it is read or refused", async () => {
    const archive = tarOf(entries);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: archive.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const damaged = Uint8Array.from(archive);
          damaged[at] ^= flip;
          const outcome = await read(damaged, { "data/a.bin": 1000 }).catch((error) => error);
          expect(outcome instanceof Map || outcome instanceof DatasetError).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
