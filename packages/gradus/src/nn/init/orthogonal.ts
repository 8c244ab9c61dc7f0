// Orthogonal matrices, evenly distributed among all there are (`torch.nn.init.orthogonal_`; Saxe, McClelland and Ganguli,
// "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", ICLR 2014). They are drawn
// without a factorization: Stewart, "The efficient generation of random orthogonal matrices with an application to
// condition estimators" (SIAM Journal on Numerical Analysis 17, 1980), multiplies Householder reflections of random
// vectors that get shorter by one; that has the distribution of the Q of a matrix of normal numbers. On the host, in
// float64.

import {
  DTypeError,
  defaultGenerator,
  isFloat,
  ShapeError,
  type Tensor,
  tensor as tensorFrom,
} from "../../tensor/index.ts";
import { assign, type InitOptions } from "./assign.ts";
import { hostNormal } from "./host-random.ts";

/** The inner product of two vectors; four sums at a time, which the processor can overlap. */
function dot(a: Float64Array, b: Float64Array, start: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = start;
  for (; i + 3 < a.length; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < a.length; i++) s0 += a[i] * b[i];
  return s0 + s1 + (s2 + s3);
}

/** A Householder reflection I - 2 v v^T / (v^T v) of a vector v that is zero above `start`. */
interface Reflection {
  readonly start: number;
  readonly vector: Float64Array;
  /** 2 / (v^T v), or 0 for no reflection at all. */
  readonly scale: number;
  /** Of which sign the diagonal of R is, if this is a reflection of a factorization Q R. */
  readonly diagonal: number;
}

/** The reflection that takes a vector of normal numbers, from `start` on, to a multiple of a unit vector. */
function randomReflection(start: number, length: number, normal: () => number): Reflection {
  const vector = new Float64Array(length);
  for (let i = start; i < length; i++) vector[i] = normal();
  const norm = Math.sqrt(dot(vector, vector, start));
  // Towards the side where nothing cancels.
  const sign = vector[start] < 0 ? -1 : 1;
  vector[start] += sign * norm;
  const square = dot(vector, vector, start);
  return { start, vector, scale: square === 0 ? 0 : 2 / square, diagonal: -sign };
}

function reflect(target: Float64Array, { start, vector, scale }: Reflection): void {
  const factor = scale * dot(vector, target, start);
  for (let i = start; i < target.length; i++) target[i] -= factor * vector[i];
}

/**
 * Random orthonormal vectors.
 * @param count how many, at most `length`
 * @param normal a source of standard normal numbers
 */
export function orthonormalVectors(count: number, length: number, normal: () => number): Float64Array[] {
  const vectors = Array.from({ length: count }, () => new Float64Array(length));
  // From the last reflection to the first: each finds zeros above where it begins, and the vectors before it need it not.
  for (let k = count - 1; k >= 0; k--) {
    const reflection = randomReflection(k, length, normal);
    // With a positive diagonal of R, without which Q would not be evenly distributed.
    vectors[k][k] = reflection.diagonal;
    for (let j = k; j < count; j++) reflect(vectors[j], reflection);
  }
  return vectors;
}

/**
 * A random orthogonal matrix times `gain` (`orthogonal_`): of a weight taken as [out, all others], the rows are orthonormal
 * if there are no more of them than columns, else the columns are. Drawn on the host: 4 min(m, n)^2 max(m, n) operations at
 * most, a second for 1024 x 1024.
 * @param tensor a weight of floats, [out, in, ...kernel]
 * @param gain `calculateGain` of what follows. Default 1.
 * @throws ShapeError for fewer than two dimensions; DTypeError unless it is of floats
 *
 * @example
 * nn.init.orthogonal_(recurrent.weight, nn.init.calculateGain("tanh"));
 */
export function orthogonal_(tensor: Tensor, gain = 1, { generator = defaultGenerator }: InitOptions = {}): Tensor {
  const { shape, dtype } = tensor;
  if (tensor.ndim < 2) {
    throw new ShapeError("orthogonal_", [shape], "a matrix needs two dimensions or more", "Use normal_ for a vector.");
  }
  if (!isFloat(dtype)) throw new DTypeError("orthogonal_", [dtype], "an orthogonal matrix is of floats");
  if (tensor.numel() === 0) return tensor;
  const rows = shape[0];
  const columns = tensor.numel() / rows;
  const vectors = orthonormalVectors(Math.min(rows, columns), Math.max(rows, columns), hostNormal(generator));
  const wide = rows <= columns;
  const values = dtype === "float64" ? new Float64Array(rows * columns) : new Float32Array(rows * columns);
  for (const [k, vector] of vectors.entries()) {
    // The k-th vector is the k-th row of a wide matrix, or the k-th column of a tall one.
    const [start, step] = wide ? [k * columns, 1] : [k, columns];
    for (let i = 0; i < vector.length; i++) values[start + i * step] = gain * vector[i];
  }
  return assign(tensor, () => tensorFrom(values).reshape(shape));
}
