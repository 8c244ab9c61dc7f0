// Initializers that know nothing of what a tensor is for (`torch.nn.init`): constants, identities, plain distributions.

import { ArgumentError, arange, eye, rand, randn, ShapeError, type Tensor } from "../../tensor/index.ts";
import { assign, checkDeviation, drawing, type InitOptions } from "./assign.ts";

/**
 * Uniform in [a, b) (`uniform_`).
 * @param tensor any shape
 * @returns the tensor itself, as all initializers do
 * @throws ArgumentError if a is above b
 *
 * @example
 * nn.init.uniform_(layer.weight, -0.1, 0.1);
 */
export function uniform_(tensor: Tensor, a = 0, b = 1, options: InitOptions = {}): Tensor {
  if (!(a <= b)) throw new ArgumentError("uniform_", `${a} to ${b} is no range`, "Give the lower bound first.");
  return assign(tensor, () =>
    rand(tensor.shape, drawing(tensor, options))
      .mul(b - a)
      .add(a),
  );
}

/**
 * Normal with a mean and a standard deviation (`normal_`).
 * @param tensor any shape
 * @throws ArgumentError if the deviation is negative
 */
export function normal_(tensor: Tensor, mean = 0, std = 1, options: InitOptions = {}): Tensor {
  checkDeviation("normal_", std);
  return assign(tensor, () => randn(tensor.shape, drawing(tensor, options)).mul(std).add(mean));
}

/** One value everywhere (`constant_`). @param tensor any shape */
export function constant_(tensor: Tensor, value: number): Tensor {
  return assign(tensor, () => value);
}

/** 1 everywhere (`ones_`). @param tensor any shape */
export function ones_(tensor: Tensor): Tensor {
  return constant_(tensor, 1);
}

/** 0 everywhere (`zeros_`). @param tensor any shape */
export function zeros_(tensor: Tensor): Tensor {
  return constant_(tensor, 0);
}

/**
 * Ones on the diagonal of a matrix (`eye_`): a linear layer that passes its inputs on.
 * @param tensor [out, in]
 * @throws ShapeError unless it is a matrix
 */
export function eye_(tensor: Tensor): Tensor {
  if (tensor.ndim !== 2) {
    throw new ShapeError("eye_", [tensor.shape], "only a matrix has a diagonal", "Use dirac_ for a convolution.");
  }
  return assign(tensor, () => eye(tensor.shape[0], tensor.shape[1], { dtype: tensor.dtype }));
}

/**
 * The Dirac delta (`dirac_`): a convolution that passes as many channels on as it can, its kernels 1 in the middle and 0
 * elsewhere.
 * @param tensor [out, in / groups, ...kernel], of three to five dimensions
 * @param groups into how many groups the channels are divided, as the convolution's. Default 1.
 * @throws ShapeError for other shapes; ArgumentError unless `groups` divides the outputs
 */
export function dirac_(tensor: Tensor, groups = 1): Tensor {
  const { shape, ndim } = tensor;
  if (ndim < 3 || ndim > 5) {
    throw new ShapeError(
      "dirac_",
      [shape],
      "a convolution's weight has three to five dimensions",
      "Use eye_ for a matrix.",
    );
  }
  if (!(Number.isInteger(groups) && groups >= 1 && shape[0] % groups === 0)) {
    throw new ArgumentError("dirac_", `${groups} groups do not divide ${shape[0]} channels`, "Use a divisor of them.");
  }
  /** 0, 1, ... along one dimension, shaped to broadcast over the others. */
  const along = (axis: number): Tensor =>
    arange(shape[axis]).reshape(shape.map((extent, i) => (i === axis ? extent : 1)));
  const channel = along(0).remainder(Math.max(1, shape[0] / groups));
  const middles = shape.slice(2).map((extent, i) => along(i + 2).eq(Math.floor(extent / 2)));
  const hit = middles.reduce((all, middle) => all.logicalAnd(middle), channel.eq(along(1)));
  return assign(tensor, () => hit.to(tensor.dtype));
}
