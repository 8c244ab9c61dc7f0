// Unpacking gzip, in Node's way and in the browser's: the same answers, and never more than was asked for.

import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gunzipIfNeeded as inBrowsers } from "../../src/datasets/gunzip.ts";
import { gunzipIfNeeded as inNode } from "../../src/datasets/gunzip-node.ts";
import { DatasetError, isGzip } from "../../src/index.ts";

describe.each([
  ["zlib", inNode],
  ["DecompressionStream", inBrowsers],
])("gzip through %s", (_, gunzipIfNeeded) => {
  const noise = Uint8Array.from({ length: 100_000 }, (_, i) => (i * i * 7 + (i >> 3)) & 0xff);

  it("unpacks what is packed, up to exactly the limit", async () => {
    const unpacked = await gunzipIfNeeded(gzipSync(noise), noise.length, "x.gz");
    expect(Buffer.compare(unpacked, noise)).toBe(0);
  });

  it("leaves alone what is not packed", async () => {
    expect(await gunzipIfNeeded(noise, noise.length, "x")).toBe(noise);
  });

  it("refuses content longer than the limit, packed or not", async () => {
    const limit = noise.length - 1;
    const message = `x: it holds more than the expected ${limit} bytes`;
    await expect(gunzipIfNeeded(gzipSync(noise), limit, "x")).rejects.toThrow(message);
    await expect(gunzipIfNeeded(noise, limit, "x")).rejects.toThrow(message);
  });

  it("stops at the limit when a small file would unpack to a hundred million bytes", async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    await expect(gunzipIfNeeded(bomb, 5_000, "bomb.gz")).rejects.toThrow(DatasetError);
  });

  it("refuses packed data that are cut short or damaged", async () => {
    const packed = gzipSync(noise);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: packed.length - 1 }), async (length) => {
        const cut = gunzipIfNeeded(packed.subarray(0, length), noise.length, "x.gz");
        await expect(cut).rejects.toThrow(/x\.gz: it cannot be unpacked as gzip/);
      }),
      { numRuns: 20 },
    );
    const damaged = Uint8Array.from(packed);
    damaged[packed.length - 6]! ^= 0x10; // in the checksum
    await expect(gunzipIfNeeded(damaged, noise.length, "x.gz")).rejects.toThrow(/cut short or damaged/);
  });
});

describe("isGzip", () => {
  it("looks at the first two bytes only", () => {
    expect(isGzip(Uint8Array.of(0x1f, 0x8b))).toBe(true);
    expect(isGzip(Uint8Array.of(0x1f))).toBe(false);
    expect(isGzip(Uint8Array.of(0, 0, 8, 3))).toBe(false);
  });
});
