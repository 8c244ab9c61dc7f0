import { inflateSync } from "node:zlib";
import { decode } from "fast-png";
import { describe, expect, test } from "vitest";
import { encodePng, ImageDataError } from "../../src/train/png.ts";

function samples(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (i * 37 + 11) % 256);
}

describe("encodePng", () => {
  test.each([1, 3, 4] as const)("keeps every sample of %i channels", (channels) => {
    const image = { width: 5, height: 3, channels, data: samples(5 * 3 * channels) };
    const png = decode(encodePng(image as Parameters<typeof encodePng>[0]), { checkCrc: true });
    expect([png.width, png.height, png.channels, png.depth]).toEqual([5, 3, channels, 8]);
    expect(Array.from(png.data)).toEqual(Array.from(image.data));
  });

  test("writes the signature, a header and image data that zlib reads", () => {
    const png = Buffer.from(encodePng({ width: 4, height: 2, channels: 1, data: samples(8) }));
    expect(png.subarray(0, 8)).toEqual(Buffer.from("\x89PNG\r\n\x1a\n", "latin1"));
    expect(png.toString("latin1", 12, 16)).toBe("IHDR");
    expect([png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]]).toEqual([4, 2, 8, 0]); // 8 bits, gray
    const start = png.indexOf("IDAT") + 4;
    const rows = inflateSync(png.subarray(start, start + png.readUInt32BE(start - 8)));
    expect(rows.length).toBe(2 * (1 + 4)); // a filter byte before each row
  });

  test("refuses a picture whose numbers do not agree", () => {
    const image = { width: 5, height: 3, channels: 3, data: samples(5 * 3 * 3) } as const;
    expect(() => encodePng({ ...image, width: 4 })).toThrow("needs 36 samples but has 45");
    expect(() => encodePng({ ...image, height: 0 })).toThrow("5 x 0 pixels");
    expect(() => encodePng({ ...image, channels: 2 as 1 })).toThrow("has 2 channels");
    expect(() => encodePng({ ...image, width: 2.5 })).toThrow(ImageDataError);
  });
});
