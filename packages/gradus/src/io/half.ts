// Half precision in files: float32 as float16 (IEEE 754 binary16) and bfloat16 (the upper half of a float32), and back.
// Rounding is to the nearest, ties to even, as PyTorch's. Works on bits, since JavaScript has no such arrays everywhere.

/** The two formats of 16 bits. */
export type HalfDtype = "float16" | "bfloat16";

/** A half's bits to those of the float32 of the same value, and a float32's bits to those of the nearest half. */
interface HalfFormat {
  readonly widen: (half: number) => number;
  readonly narrow: (bits: number) => number;
  /** The bits of infinity. */
  readonly infinity: number;
  /** The largest finite number. */
  readonly largest: number;
}

export const halfFormats: Readonly<Record<HalfDtype, HalfFormat>> = {
  float16: { widen: fromFloat16, narrow: toFloat16, infinity: 0x7c00, largest: 65504 },
  bfloat16: { widen: (half) => half << 16, narrow: toBfloat16, infinity: 0x7f80, largest: (2 - 2 ** -7) * 2 ** 127 },
};

/** The float32 numbers of halves: exact. */
export function widened(halves: Uint16Array, dtype: HalfDtype): Float32Array {
  const { widen } = halfFormats[dtype];
  const bits = new Int32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = widen(halves[i]);
  return new Float32Array(bits.buffer);
}

/**
 * The halves nearest to float32 numbers.
 * @returns with the index of the first finite number that became infinite, or -1
 */
export function narrowed(values: Float32Array, dtype: HalfDtype): { halves: Uint16Array; overflow: number } {
  const { narrow, infinity } = halfFormats[dtype];
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  let overflow = -1;
  for (let i = 0; i < bits.length; i++) {
    halves[i] = narrow(bits[i]);
    if ((halves[i] & 0x7fff) === infinity && overflow < 0 && Number.isFinite(values[i])) overflow = i;
  }
  return { halves, overflow };
}

// float16 has 1 sign, 5 exponent (bias 15) and 10 fraction bits; float32 has 1, 8 (bias 127) and 23.

function fromFloat16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // Subnormal here, normal there: the leading one moves to its hidden place.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

function toFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 2^16 and more
  if (magnitude >= 0x38800000) {
    // Normal in both. Half a unit is added, a little less where the last kept bit is even; a carry moves into the exponent,
    // and from the largest number on to infinity, as it should.
    const rebased = magnitude - (112 << 23);
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  if (magnitude < 0x33000000) return sign; // less than half of 2^-24, the smallest number
  // Subnormal: a multiple of 2^-24.
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return sign | (kept + (rest > middle || (rest === middle && (kept & 1) === 1) ? 1 : 0));
}

function toBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // NaN stays one when its lower half is cut off
  return ((bits >>> 0) + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
