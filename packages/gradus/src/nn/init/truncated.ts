// The truncated normal distribution (`torch.nn.init.trunc_normal_`), by inverting its distribution function: a uniform
// number between the functions' values at both ends becomes the quantile that belongs to it. Where both ends lie on one
// side of the mean, the side is mirrored to the lower one, where probabilities are small numbers and therefore exact. The
// quantiles are Wichura's ("Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37,
// 1988), in the variant PPND7, which is right to about 7 digits for every probability that a float32 holds.

import { ArgumentError, rand, type Tensor, where } from "../../tensor/index.ts";
import { assign, drawing, type InitOptions } from "./assign.ts";

/** c[0] + c[1] x + ..., by Horner's rule. */
const polynomial = (x: Tensor, coefficients: readonly number[]): Tensor =>
  coefficients
    .slice(0, -1)
    .reduceRight<Tensor>((sum, c) => sum.mul(x).add(c), x.mul(0).add(coefficients[coefficients.length - 1]));

/** A quotient of polynomials. */
interface Rational {
  readonly over: readonly number[];
  readonly under: readonly number[];
}

const evaluate = (x: Tensor, { over, under }: Rational): Tensor => polynomial(x, over).div(polynomial(x, under));

/** For |p - 1/2| up to 0.425, in 0.425^2 - (p - 1/2)^2. */
const middle: Rational = {
  over: [3.3871327179, 50.434271938, 159.29113202, 59.10937472],
  under: [1, 17.895169469, 78.757757664, 67.1875636],
};
/** In r - 1.6, for r = sqrt(-log p) up to 5. */
const near: Rational = {
  over: [1.4234372777, 2.75681539, 1.3067284816, 0.17023821103],
  under: [1, 0.7370016425, 0.12021132975],
};
/** In r - 5, for what is farther. */
const far: Rational = {
  over: [6.657905115, 3.081226386, 0.42868294337, 0.017337203997],
  under: [1, 0.24197894225, 0.012258202635],
};

/** The quantile of the standard normal distribution, for probabilities above 0 and below 1. */
export function normalQuantile(p: Tensor): Tensor {
  const q = p.sub(0.5);
  const central = q.mul(evaluate(q.mul(q).rsub(0.425 ** 2), middle));
  const tail = where(q.lt(0), p, p.rsub(1)).log().neg().sqrt();
  const distance = where(tail.le(5), evaluate(tail.sub(1.6), near), evaluate(tail.sub(5), far));
  return where(q.abs().le(0.425), central, where(q.lt(0), distance.neg(), distance));
}

/**
 * The normal distribution function below 0. The complementary error function of Numerical Recipes (Press et al., 2007,
 * section 6.2.2) in Chebyshev form has an error of 1.2e-7 of the value, also far out, which is what the quantiles have.
 */
function lowerTail(x: number): number {
  const z = -x * Math.SQRT1_2;
  const t = 1 / (1 + z / 2);
  const exponent = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
  ].reduce((sum, c) => sum * t + c, 0);
  return 0.5 * t * Math.exp(-z * z - 1.26551223 + exponent * t);
}

const distribution = (x: number): number => (x <= 0 ? lowerTail(x) : 1 - lowerTail(-x));

/** The smallest and largest probability of float32 that is neither 0 nor 1, which have no quantiles. */
const probabilities = [2 ** -126, 1 - 2 ** -24] as const;

/**
 * Normal within [a, b], without heaps at the ends (`trunc_normal_`).
 * @param tensor any shape
 * @param mean of the distribution before it is cut. Default 0.
 * @param std its standard deviation before it is cut. Default 1.
 * @param a the lowest value, itself and not in deviations. Default -2.
 * @param b the highest value. Default 2.
 * @throws ArgumentError unless the deviation is positive and a is below b
 *
 * @example
 * nn.init.truncNormal_(embedding.weight, 0, 0.02, -0.04, 0.04);
 */
export function truncNormal_(tensor: Tensor, mean = 0, std = 1, a = -2, b = 2, options: InitOptions = {}): Tensor {
  if (!(std > 0)) throw new ArgumentError("truncNormal_", `a standard deviation of ${std} is none`, "Use one above 0.");
  if (!(a < b)) throw new ArgumentError("truncNormal_", `${a} to ${b} is no range`, "Give the lower bound first.");
  const ends = [(a - mean) / std, (b - mean) / std];
  const mirrored = ends[0] > 0;
  const [low, high] = (mirrored ? [-ends[1], -ends[0]] : ends).map(distribution);
  return assign(tensor, () => {
    const p = rand(tensor.shape, drawing(tensor, options))
      .mul(high - low)
      .add(low)
      .clamp(...probabilities);
    return normalQuantile(p)
      .mul(mirrored ? -std : std)
      .add(mean)
      .clamp(a, b);
  });
}
