// TensorBoard event files: scalars and pictures of a training run, to watch with `tensorboard --logdir`.
// Node only; leans on node:fs and on png.ts.
// Framing: TFRecord (length, masked CRC32C of the length, data, masked CRC32C of the data), with the
// checksum of RFC 3720, appendix B.4. Contents: the protocol buffers Event and Summary of TensorBoard's
// event.proto and summary.proto, of which five messages are needed: few enough to encode by hand.

import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { encodePng, type PlainImage } from "./png.ts";

/** Events wait in memory until there are this many bytes, or until the oldest is this old: whoever watches sees them soon. */
const FLUSH_BYTES = 1 << 16;
const FLUSH_MILLISECONDS = 5_000;

/** An event that cannot be written, or a file that cannot. */
export class EventWriterError extends Error {
  /** What stands before the message. */
  override readonly name = "EventWriterError";
}

/**
 * Writes one event file into a directory, which it makes where there is none.
 *
 * ```ts
 * const events = new EventWriter("runs/lenet");
 * events.scalar("train/loss", 0.31, 100);
 * events.close();
 * ```
 */
export class EventWriter {
  /** `<directory>/events.out.tfevents.<unix seconds>.<hostname>`; with `.1`, `.2`, ... after it where that file exists. */
  readonly path: string;
  readonly #file: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #oldestPending = 0;
  #fileBytes = 0;
  #closed = false;

  /** @throws EventWriterError where the file cannot be made */
  constructor(directory: string) {
    const base = join(directory, `events.out.tfevents.${Math.floor(Date.now() / 1000)}.${hostname()}`);
    [this.path, this.#file] = createNewFile(directory, base);
    this.#write([stringField(3, "brain.Event:2")]);
    this.flush(); // a file without its first record is a broken run to TensorBoard
  }

  /**
   * Adds a point to a curve.
   * @param tag the name of the curve; what stands before a slash groups curves
   * @param value stored as float32; NaN and infinities are kept
   * @param step training step, a whole number from 0 on
   * @throws EventWriterError
   */
  scalar(tag: string, value: number, step: number): void {
    this.#summary(tag, floatField(2, value), step);
  }

  /**
   * Adds a picture to a row of them.
   * @param tag the name of the row of pictures
   * @param image 8-bit samples, `[height, width, channels]`
   * @param step training step, a whole number from 0 on
   * @throws EventWriterError, ImageDataError
   */
  image(tag: string, image: PlainImage, step: number): void {
    const fields = [
      integerField(1, image.height),
      integerField(2, image.width),
      integerField(3, image.channels), // the colour space: 1 is gray, 3 is RGB
      bytesField(4, encodePng(image)),
    ];
    this.#summary(tag, messageField(4, fields), step);
  }

  /**
   * Hands all waiting events to the operating system.
   * @throws EventWriterError where it does not take them; they stay and the next flush tries again
   */
  flush(): void {
    if (this.#closed || this.#pending.length === 0) return;
    const bytes = Buffer.concat(this.#pending);
    try {
      for (let written = 0; written < bytes.length; ) {
        written += writeSync(this.#file, bytes, written, bytes.length - written, this.#fileBytes + written);
      }
    } catch (cause) {
      ftruncateSync(this.#file, this.#fileBytes); // half a record would make the rest unreadable
      throw new EventWriterError(
        `${bytes.length} bytes of events could not be written to ${this.path}: ${reason(cause)}. ` +
          "Free space on its disk or write elsewhere.",
        { cause },
      );
    }
    this.#fileBytes += bytes.length;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Flushes and closes the file; closing twice is allowed. */
  close(): void {
    if (this.#closed) return;
    try {
      this.flush();
    } finally {
      this.#closed = true;
      closeSync(this.#file);
    }
  }

  #summary(tag: string, value: Uint8Array, step: number): void {
    if (this.#closed) {
      throw new EventWriterError(`${this.path} is closed, but "${tag}" was to be written. Make a new EventWriter.`);
    }
    if (tag === "") throw new EventWriterError("A tag is empty. Give every curve a name.");
    if (!(Number.isSafeInteger(step) && step >= 0)) {
      throw new EventWriterError(`"${tag}" has step ${step}. Give a whole number from 0 on.`);
    }
    const entry = messageField(1, [stringField(1, tag), value]);
    this.#write([integerField(2, step), messageField(5, [entry])]);
  }

  #write(fields: readonly Uint8Array[]): void {
    const now = Date.now();
    const record = frame(Buffer.concat([doubleField(1, now / 1000), ...fields]));
    if (this.#pending.length === 0) this.#oldestPending = now;
    this.#pending.push(record);
    this.#pendingBytes += record.length;
    if (this.#pendingBytes >= FLUSH_BYTES || now - this.#oldestPending >= FLUSH_MILLISECONDS) this.flush();
  }
}

/** Never opens an existing file: two writers in one second must not write into each other. */
function createNewFile(directory: string, base: string): [path: string, file: number] {
  try {
    mkdirSync(directory, { recursive: true });
    for (let copy = 0; ; copy++) {
      const path = copy === 0 ? base : `${base}.${copy}`;
      try {
        return [path, openSync(path, "wx")];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  } catch (cause) {
    throw new EventWriterError(
      `The event file ${base} could not be made: ${reason(cause)}. Choose a directory that can be written to.`,
      { cause },
    );
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// TFRecord framing.

function frame(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}

/** Castagnoli's polynomial, reflected: the remainder of each byte. */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f63b78 : 0);
  return remainder;
});

/** Masked, since a checksum over data that holds checksums is weak (TensorFlow, lib/hash/crc32c.h). */
function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC32C_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

// Protocol buffers: a field is a varint of (number << 3 | wire type), then its value.

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

function varint(value: number): number[] {
  const bytes: number[] = [];
  // Division, not shifts: a step may pass 2^32.
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return [...bytes, value];
}

function key(field: number, wire: (typeof WIRE)[keyof typeof WIRE]): number[] {
  return varint((field << 3) | wire);
}

function integerField(field: number, value: number): Uint8Array {
  return Uint8Array.from([...key(field, WIRE.varint), ...varint(value)]);
}

function doubleField(field: number, value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([Uint8Array.from(key(field, WIRE.fixed64)), bytes]);
}

function floatField(field: number, value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([Uint8Array.from(key(field, WIRE.fixed32)), bytes]);
}

function bytesField(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.from([...key(field, WIRE.bytes), ...varint(bytes.length)]), bytes]);
}

function stringField(field: number, text: string): Uint8Array {
  return bytesField(field, Buffer.from(text, "utf8"));
}

function messageField(field: number, fields: readonly Uint8Array[]): Uint8Array {
  return bytesField(field, Buffer.concat(fields));
}
