import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { decode as decodePng } from "fast-png";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EventWriter, EventWriterError } from "../../src/train/event-writer.ts";
import { ImageDataError } from "../../src/train/png.ts";

// An independent reader of the format: CRC32C bit by bit instead of by table, and a schema-free walk over
// protocol buffers (field number -> values) instead of named fields.

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  return Number(crc ^ 0xffffffffn);
}

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

function records(file: Buffer): Buffer[] {
  const result: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(data.length).toBe(length);
    expect(unmask(file.readUInt32LE(at + 8))).toBe(crc32c(file.subarray(at, at + 8)));
    expect(unmask(file.readUInt32LE(at + 12 + length))).toBe(crc32c(data));
    result.push(data);
    at += 16 + length;
  }
  return result;
}

type Fields = Record<number, (bigint | Buffer)[]>;

function fields(message: Buffer): Fields {
  const result: Fields = {};
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => message.subarray(at, (at += length));
  while (at < message.length) {
    const tag = Number(varint());
    const read = { 0: varint, 1: () => take(8), 2: () => take(Number(varint())), 5: () => take(4) }[tag & 7];
    (result[tag >> 3] ??= []).push(read!());
  }
  return result;
}

function events(path: string): Fields[] {
  return records(readFileSync(path)).map(fields);
}

/** Event.summary (5), its only Value (1). */
function summaryValue(event: Fields): Fields {
  const values = fields(event[5]![0] as Buffer)[1]!;
  expect(values).toHaveLength(1);
  return fields(values[0] as Buffer);
}

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gradus-events-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("EventWriter", () => {
  test("the checksum of the reader used here is that of RFC 3720, appendix B.4", () => {
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  test("names the file after the second and the host, and opens it with the version of the format", () => {
    const before = Math.floor(Date.now() / 1000);
    const writer = new EventWriter(join(directory, "made", "on demand"));
    const after = Math.floor(Date.now() / 1000);
    const [, seconds] = /^events\.out\.tfevents\.(\d+)\.(.*)$/.exec(basename(writer.path))!;
    expect(basename(writer.path).endsWith(hostname())).toBe(true);
    expect(Number(seconds)).toBeGreaterThanOrEqual(before);
    expect(Number(seconds)).toBeLessThanOrEqual(after);
    const [first, ...rest] = events(writer.path); // there before any flush
    expect(rest).toEqual([]);
    expect(first![3]!.toString()).toBe("brain.Event:2");
    expect(Math.floor((first![1]![0] as Buffer).readDoubleLE())).toBeGreaterThanOrEqual(before);
    writer.close();
  });

  test("scalars come back with tag, step and float32 value", () => {
    const writer = new EventWriter(directory);
    const written = [
      ["train/loss", Math.LN10, 0],
      ["Genauigkeit/größer", -0.125, 127],
      ["x", Number.NaN, 128],
      ["x", Number.NEGATIVE_INFINITY, 300_000],
      ["t".repeat(300), 1e-30, 2 ** 40 + 5],
    ] as const;
    for (const [tag, value, step] of written) writer.scalar(tag, value, step);
    writer.close();
    const read = events(writer.path).slice(1);
    expect(read).toHaveLength(written.length);
    read.forEach((event, i) => {
      const [tag, value, step] = written[i]!;
      expect(event[2]).toEqual([BigInt(step)]);
      expect(summaryValue(event)[1]!.toString()).toBe(tag);
      expect((summaryValue(event)[2]![0] as Buffer).readFloatLE()).toBe(Math.fround(value));
    });
  });

  test.each([1, 3] as const)("a picture of %i channels comes back pixel by pixel", (channels) => {
    const data = Uint8Array.from({ length: 6 * 4 * channels }, (_, i) => (i * 53 + 7) % 256);
    const writer = new EventWriter(directory);
    writer.image("filters", { width: 6, height: 4, channels, data }, 12);
    writer.close();
    const event = events(writer.path)[1]!;
    expect(event[2]).toEqual([12n]);
    const image = fields(summaryValue(event)[4]![0] as Buffer);
    expect([image[1], image[2], image[3]]).toEqual([[4n], [6n], [BigInt(channels)]]);
    const png = decodePng(image[4]![0] as Buffer, { checkCrc: true });
    expect(png.channels).toBe(channels);
    expect(Array.from(png.data)).toEqual(Array.from(data));
  });

  test("events are on disk after a flush, and a large backlog flushes itself", () => {
    const writer = new EventWriter(directory);
    writer.scalar("a", 1.5, 1);
    writer.flush();
    expect(events(writer.path)).toHaveLength(2);
    for (let step = 0; step < 3000; step++) writer.scalar("b", step / 7, step);
    expect(events(writer.path).length).toBeGreaterThan(1000);
    writer.close();
    expect(events(writer.path)).toHaveLength(3002);
  });

  test("two writers in one second write two files", () => {
    const writers = [new EventWriter(directory), new EventWriter(directory), new EventWriter(directory)];
    writers.forEach((writer, i) => {
      writer.scalar("run", i + 1, i);
      writer.close();
      expect(events(writer.path)).toHaveLength(2);
    });
    expect(readdirSync(directory)).toHaveLength(3);
  });

  test("refuses what cannot be stored, and writes nothing of it", () => {
    const writer = new EventWriter(directory);
    expect(() => writer.scalar("", 1, 1)).toThrow("tag is empty");
    expect(() => writer.scalar("loss", 1, -1)).toThrow('"loss" has step -1');
    expect(() => writer.scalar("loss", 1, 1.5)).toThrow(EventWriterError);
    const torn = { width: 2, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3) } as const;
    expect(() => writer.image("i", torn, 1)).toThrow(ImageDataError);
    writer.close();
    writer.close();
    expect(() => writer.scalar("loss", 1, 1)).toThrow("is closed");
    expect(events(writer.path)).toHaveLength(1);
  });

  test("says where no file can be made", () => {
    const file = join(directory, "file");
    writeFileSync(file, "no directory");
    expect(() => new EventWriter(file)).toThrow(/could not be made: .*EEXIST.*Choose a directory/);
  });
});
