// The scalar functions that programs import as `math.*`: those of JavaScript's Math that take one or two numbers, and
// erf. `createMath` also runs in the workers, where it arrives as text: it must refer to nothing outside itself.
//
// Source of erf: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.5 (series), 7.1.14
// (continued fraction) and 7.1.19 (derivatives).

/** The functions, float64 to float64, as an import object. */
export function createMath() {
  const { abs, acos, acosh, asin, asinh, atan, atan2, atanh, cbrt, ceil, clz32, cos, cosh, exp, expm1, floor } = Math;
  const { fround, hypot, imul, log, log10, log1p, log2, max, min, pow, round, sign, sin, sinh, sqrt } = Math;
  const { tan, tanh, trunc } = Math;

  const twoBySqrtPi = 1.1283791670955126;

  /** erf at 0.75, 1.25 and 1.75. */
  const erfAtCenters = [0.7111556336535151, 0.9229001282564583, 0.9866716712191824];

  /** The error function, within 3 ulp. */
  const erf = (x: number) => {
    const size = abs(x);
    if (size < 0.5) {
      // 2 / sqrt(pi) times the sum over n of (-1)^n x^(2n+1) / (n! (2n+1)).
      let power = x;
      let sum = x;
      for (let n = 1; abs(power) > abs(sum) * 2 ** -55; n++) {
        power *= -(x * x) / n;
        sum += power / (2 * n + 1);
      }
      return twoBySqrtPi * sum;
    }
    if (size < 2) {
      // erf at a center c, and the integral of f(h) = exp(-(c + h)^2) from there, whose power series follows from
      // f' = -2 (c + h) f.
      const index = floor(2 * size - 1);
      const center = 0.75 + index / 2;
      const h = size - center;
      let before = 0;
      let coefficient = exp(-center * center);
      let power = h;
      let integral = 0;
      for (let n = 1; n < 24; n++) {
        integral += (coefficient * power) / n;
        [before, coefficient] = [coefficient, (-2 * (center * coefficient + before)) / n];
        power *= h;
      }
      return sign(x) * (erfAtCenters[index]! + twoBySqrtPi * integral);
    }
    if (size < 6) {
      // 1 - exp(-x^2) / (sqrt(pi) (x + (1/2) / (x + 1 / (x + (3/2) / (x + ...))))), from the inside out.
      let fraction = size;
      for (let n = 40; n > 0; n--) fraction = size + n / 2 / fraction;
      return sign(x) * (1 - (twoBySqrtPi * exp(-x * x)) / (2 * fraction));
    }
    return sign(x); // 1 - erf(6) is below half an ulp of 1; NaN stays NaN
  };

  return {
    ...{ abs, acos, acosh, asin, asinh, atan, atan2, atanh, cbrt, ceil, clz32, cos, cosh, erf, exp, expm1, floor },
    ...{ fround, hypot, imul, log, log10, log1p, log2, max, min, pow, round, sign, sin, sinh, sqrt },
    ...{ tan, tanh, trunc },
  };
}
