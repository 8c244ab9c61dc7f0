// The scalar functions that programs import as `math.*`: those of JavaScript's Math that take one or two numbers, and erf.
// `createMath` also runs in the workers, where it arrives as text: it must refer to nothing outside itself.
//
// Source of erf: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.6 (series) and 7.1.14 (continued fraction).

/** The functions, float64 to float64, as an import object. */
export function createMath() {
  const { abs, acos, acosh, asin, asinh, atan, atan2, atanh, cbrt, ceil, clz32, cos, cosh, exp, expm1, floor } = Math;
  const { fround, hypot, imul, log, log10, log1p, log2, max, min, pow, round, sign, sin, sinh, sqrt } = Math;
  const { tan, tanh, trunc } = Math;

  /** exp(-x^2), with x split in two so that the square loses nothing. */
  const gaussian = (x: number) => {
    const high = fround(x);
    return exp(-high * high) * exp((high - x) * (high + x));
  };

  /** The error function, within 4 ulp. */
  const erf = (x: number) => {
    const size = abs(x);
    if (!(size < 6)) return size >= 6 ? sign(x) : x; // 1 - erf(6) is below half an ulp of 1
    if (size < 2) {
      // 2 / sqrt(pi) exp(-x^2) sum over n of 2^n x^(2n+1) / (1 * 3 * 5 ... (2n+1)): every term has the sign of x.
      let term = x;
      let sum = x;
      for (let n = 1; abs(term) > abs(sum) * 2 ** -55; n++) {
        term *= (2 * x * x) / (2 * n + 1);
        sum += term;
      }
      return 1.1283791670955126 * gaussian(x) * sum;
    }
    // 1 - exp(-x^2) / (sqrt(pi) (x + (1/2) / (x + 1 / (x + (3/2) / (x + ...))))), from the inside out.
    let fraction = size;
    for (let n = 60; n > 0; n--) fraction = size + n / 2 / fraction;
    return sign(x) * (1 - (gaussian(size) * 0.5641895835477563) / fraction);
  };

  return {
    ...{ abs, acos, acosh, asin, asinh, atan, atan2, atanh, cbrt, ceil, clz32, cos, cosh, erf, exp, expm1, floor },
    ...{ fround, hypot, imul, log, log10, log1p, log2, max, min, pow, round, sign, sin, sinh, sqrt },
    ...{ tan, tanh, trunc },
  };
}

/** A name that programs may import from `math`. */
export type MathFunction = keyof ReturnType<typeof createMath>;
