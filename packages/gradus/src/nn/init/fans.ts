// How wide a layer is, and what its nonlinearity does to variances: what the scaled initializers go by.

import { ArgumentError, ShapeError, type Tensor } from "../../tensor/index.ts";

/** What follows a layer, or the layer itself where nothing does. */
export type Nonlinearity =
  | "linear"
  | "conv1d"
  | "conv2d"
  | "conv3d"
  | "convTranspose1d"
  | "convTranspose2d"
  | "convTranspose3d"
  | "sigmoid"
  | "tanh"
  | "relu"
  | "leakyRelu"
  | "selu";

const none = (): number => 1;

const gains: { readonly [N in Nonlinearity]: (slope: number) => number } = {
  linear: none,
  conv1d: none,
  conv2d: none,
  conv3d: none,
  convTranspose1d: none,
  convTranspose2d: none,
  convTranspose3d: none,
  sigmoid: none,
  tanh: () => 5 / 3,
  relu: () => Math.SQRT2,
  leakyRelu: (slope) => Math.sqrt(2 / (1 + slope ** 2)),
  selu: () => 3 / 4,
};

/**
 * The factor by which a nonlinearity must be made up for (`torch.nn.init.calculate_gain`): 1 for linear and convolutional
 * layers and sigmoid, 5/3 for tanh, the square root of 2 for relu, sqrt(2 / (1 + slope^2)) for leakyRelu, 3/4 for selu.
 * @param negativeSlope the slope of a leaky ReLU. Default 0.01.
 * @throws ArgumentError for a nonlinearity of another name
 */
export function calculateGain(nonlinearity: Nonlinearity, negativeSlope = 0.01): number {
  if (!Object.hasOwn(gains, nonlinearity)) {
    throw new ArgumentError(
      "calculateGain",
      `there is no nonlinearity "${nonlinearity}"`,
      `Use one of ${Object.keys(gains).join(", ")}.`,
    );
  }
  return gains[nonlinearity](negativeSlope);
}

/** How many inputs each output of a weight sees, and how many outputs each input reaches. */
export interface Fans {
  /** How many inputs each output sees. */
  readonly fanIn: number;
  /** How many outputs each input reaches. */
  readonly fanOut: number;
}

/** The fans of a weight of this shape, [out, in, ...kernel]. @throws ShapeError for fewer than two dimensions */
export function fans(shape: readonly number[]): Fans {
  if (shape.length < 2) {
    throw new ShapeError("init", [shape], "fans need a weight of two dimensions or more", "Use uniform_ or normal_.");
  }
  const field = shape.slice(2).reduce((product, extent) => product * extent, 1);
  return { fanIn: shape[1] * field, fanOut: shape[0] * field };
}

/**
 * The fans of a weight (`torch.nn.init._calculate_fan_in_and_fan_out`): its two first dimensions, times the size of a
 * convolution's kernel.
 * @param tensor [out, in] or [out, in, ...kernel]
 * @throws ShapeError for fewer than two dimensions
 */
export function calculateFanInAndFanOut(tensor: Tensor): Fans {
  return fans(tensor.shape);
}
