// Errors of float32 functions in units in the last place, and samples of the float32 numbers that look everywhere: all
// exponents, both signs, the subnormals, and every number near places where a function changes its way of computing.

const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);

/** The float32 with these bits. */
export function floatOfBits(pattern: number): number {
  bits[0] = pattern;
  return float[0];
}

const smallestNormalExponent = -126;
/** Where float32 would go on if it had one exponent more: infinity stands there when errors are counted. */
const beyond = 2 ** 128;

/** The distance of the float32 numbers around a value. */
function spacing(value: number): number {
  const size = Math.min(Math.abs(value), beyond / 2);
  const exponent = Math.max(smallestNormalExponent, Math.floor(Math.log2(size)));
  // log2 may round up to the next power of two.
  return 2 ** ((2 ** exponent > size ? exponent - 1 : exponent) - 23);
}

/**
 * How far a float32 result is from the true value, in units in the last place of that; infinity counts as 2^128, so
 * that a result that overflows where it must has no error. NaN has an infinite error unless both are NaN.
 */
export function errorInUlp(found: number, exact: number): number {
  if (Number.isNaN(found) || Number.isNaN(exact)) return Object.is(found, exact) ? 0 : Number.POSITIVE_INFINITY;
  const [a, b] = [found, exact].map((value) => Math.max(-beyond, Math.min(beyond, value)));
  if (a === b) return 0;
  return Math.abs(a - b) / Math.max(spacing(b), 2 ** (smallestNormalExponent - 23));
}

/** A small generator of 32-bit integers that is the same everywhere (xorshift, Marsaglia, 2003). */
export function integers(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}

/** Numbers of every exponent and sign: `perExponent` random mantissas each, and both ends of the exponent. */
export function overAllExponents(perExponent: number): number[] {
  const random = integers(20250917);
  const result: number[] = [];
  for (let exponent = 0; exponent < 255; exponent++) {
    const base = exponent << 23;
    for (let i = 0; i < perExponent; i++) {
      const pattern = base | (i === 0 ? 0 : i === 1 ? 0x7fffff : random() & 0x7fffff);
      result.push(floatOfBits(pattern), floatOfBits(pattern | 0x80000000));
    }
  }
  return result;
}

/** The float32 numbers next to each place, `count` on either side. */
export function around(places: readonly number[], count: number): number[] {
  return places.flatMap((place) => {
    float[0] = place;
    const [center] = bits;
    return Array.from({ length: 2 * count + 1 }, (_, i) => floatOfBits(center + i - count)).filter(Number.isFinite);
  });
}

/** `count` numbers spread at random over [low, high]. */
export function between(low: number, high: number, count: number): number[] {
  const random = integers(31337);
  return Array.from({ length: count }, () => Math.fround(low + ((random() >>> 0) / 2 ** 32) * (high - low)));
}
