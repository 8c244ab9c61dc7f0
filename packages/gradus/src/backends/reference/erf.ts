// The error function in double precision. Near zero its series of positive terms, far out the continued fraction of
// its complement: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.6 and 7.1.14.

/** From here on the complement is below 1e-4, so its rounding errors vanish beside 1. */
const seriesEnd = 3;
/** erf(6) differs from 1 by 2e-17, less than a double can tell. */
const saturation = 6;
/** Levels of the continued fraction; at x = 3 it has settled to the last bit long before. */
const fractionLevels = 60;

/** The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to `x`; error below 1e-15. */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude >= saturation) return Math.sign(x);
  if (magnitude < seriesEnd) return series(x);
  return Math.sign(x) * (1 - complement(magnitude));
}

/** 2 / sqrt(pi) exp(-x^2) times the sum over n of 2^n x^(2n+1) / (1 * 3 * 5 ... (2n+1)). */
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** exp(-x^2) / sqrt(pi) times 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))), for x well above zero. */
function complement(x: number): number {
  let denominator = x;
  for (let level = fractionLevels; level >= 1; level--) denominator = x + level / 2 / denominator;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / denominator;
}
