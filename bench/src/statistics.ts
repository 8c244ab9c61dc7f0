// What is told of a list of times. The median is robust against the turns that another process disturbed, the minimum
// is the machine at its best; a mean would be neither.

/** The middle value, or the mean of the two middle ones. NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The smallest value. NaN for an empty list. */
export function minimum(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((a, b) => Math.min(a, b));
}

/** Billions of floating-point operations a second, for a step of `flops` operations in `milliseconds`. */
export function gigaflops(flops: number, milliseconds: number): number {
  return flops / milliseconds / 1e6;
}

/** Billions of bytes a second, for a step that moves `bytes` in `milliseconds`. */
export function gigabytes(bytes: number, milliseconds: number): number {
  return bytes / milliseconds / 1e6;
}
