// Comparing arrays of numbers within a tolerance, with a message that names the worst element.

export interface Tolerance {
  /** Allowed error as a part of the expected element. Default 0. */
  readonly rtol?: number;
  /** Allowed error of every element, whatever its size. Default 0. */
  readonly atol?: number;
  /** Allowed error as a part of the largest expected element: what cancellation within a sum costs. Default 0. */
  readonly scaled?: number;
}

function difference(actual: number, expected: number): number {
  if (Number.isNaN(expected) && Number.isNaN(actual)) return 0;
  if (actual === expected) return 0;
  const error = Math.abs(actual - expected);
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}

/**
 * Fails unless |actual - expected| <= atol + rtol * |expected| + scaled * largest |expected| for every element.
 * NaN equals NaN, and infinities must be equal.
 * @param what names the comparison in the message
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rtol = 0, atol = 0, scaled = 0 }: Tolerance,
  what = "values",
): void {
  if (actual.length !== expected.length) {
    throw new Error(`${what}: ${actual.length} elements instead of ${expected.length}`);
  }
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    if (Number.isFinite(expected[i])) largest = Math.max(largest, Math.abs(expected[i]));
  }
  let worst = -1;
  let worstRatio = 0;
  let wrong = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = difference(actual[i], expected[i]);
    const allowed = Number.isFinite(expected[i]) ? atol + rtol * Math.abs(expected[i]) + scaled * largest : 0;
    if (error <= allowed) continue;
    wrong++;
    const ratio = allowed === 0 ? Number.POSITIVE_INFINITY : error / allowed;
    if (worst < 0 || ratio > worstRatio) {
      worst = i;
      worstRatio = ratio;
    }
  }
  if (worst < 0) return;
  const list = (values: ArrayLike<number>): string =>
    `${Array.from(values).slice(0, 12).join(", ")}${values.length > 12 ? ", ..." : ""}`;
  throw new Error(
    `${what}: ${wrong} of ${expected.length} elements differ; the worst is element ${worst}, ${actual[worst]} instead of ` +
      `${expected[worst]} (${worstRatio.toPrecision(3)} times the allowed error).\n` +
      `  actual:   ${list(actual)}\n  expected: ${list(expected)}`,
  );
}
