// A growing byte buffer that writes the primitive values of the WebAssembly binary format: bytes, LEB128 integers,
// little-endian floats and UTF-8 names. The assembler leans on it; it leans on nothing.
//
// Source: WebAssembly Core Specification 3.0, chapter 5.2 (binary format of values).

const utf8 = new TextEncoder();
const floats = new DataView(new ArrayBuffer(8));
const floatBytes = new Uint8Array(floats.buffer);

export class ByteWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A copy of what was written. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  bytes(values: ArrayLike<number>): void {
    this.#reserve(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
  }

  append(other: ByteWriter): void {
    this.bytes(other.#bytes.subarray(0, other.#length));
  }

  /** An unsigned integer below 2^32 in LEB128. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** The low 32 bits of an integer, read as signed, in LEB128. */
  signed32(value: number): void {
    let rest = value | 0;
    while (rest < -0x40 || rest > 0x3f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }

  /** The low 64 bits of an integer, read as signed, in LEB128. */
  signed64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    while (rest < -0x40n || rest > 0x3fn) {
      this.byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.byte(Number(rest & 0x7fn));
  }

  // A NaN is written with the canonical bits, so that the same program is the same bytes on every machine.

  float32(value: number): void {
    if (Number.isNaN(value)) floats.setUint32(0, 0x7fc0_0000, true);
    else floats.setFloat32(0, value, true);
    this.bytes(floatBytes.subarray(0, 4));
  }

  float64(value: number): void {
    if (Number.isNaN(value)) floats.setBigUint64(0, 0x7ff8_0000_0000_0000n, true);
    else floats.setFloat64(0, value, true);
    this.bytes(floatBytes);
  }

  /** A byte count, then UTF-8. */
  name(value: string): void {
    this.sized(utf8.encode(value));
  }

  /** A byte count, then the bytes. */
  sized(content: Uint8Array | ByteWriter): void {
    this.unsigned(content.length);
    if (content instanceof ByteWriter) this.append(content);
    else this.bytes(content);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
