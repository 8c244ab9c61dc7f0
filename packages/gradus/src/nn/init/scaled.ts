// Initializers that keep variances from layer to layer (`torch.nn.init`). Sources: Glorot and Bengio, "Understanding the
// difficulty of training deep feedforward neural networks" (AISTATS 2010) for Xavier's; He, Zhang, Ren and Sun, "Delving
// deep into rectifiers" (ICCV 2015) for Kaiming's.

import { ArgumentError, type DType, Parameter, rand, type Tensor } from "../../tensor/index.ts";
import type { InitOptions } from "./assign.ts";
import { calculateGain, fans, type Nonlinearity } from "./fans.ts";
import { normal_, uniform_ } from "./plain.ts";

/** A uniform distribution with this standard deviation ends at so many of it. */
const uniformReach = Math.sqrt(3);

function xavierStd(tensor: Tensor, gain: number): number {
  if (!(gain >= 0)) throw new ArgumentError("xavier", `a gain cannot be ${gain}`, "Use a number from 0.");
  const { fanIn, fanOut } = fans(tensor.shape);
  return gain * Math.sqrt(2 / Math.max(1, fanIn + fanOut));
}

/**
 * Uniform with the standard deviation gain sqrt(2 / (fanIn + fanOut)) (`xavier_uniform_`): for tanh and sigmoid.
 * @param tensor a weight, [out, in, ...kernel]
 * @param gain `calculateGain` of what follows. Default 1.
 * @throws ShapeError for fewer than two dimensions; ArgumentError for a negative gain
 *
 * @example
 * nn.init.xavierUniform_(layer.weight, nn.init.calculateGain("tanh"));
 */
export function xavierUniform_(tensor: Tensor, gain = 1, options: InitOptions = {}): Tensor {
  const bound = uniformReach * xavierStd(tensor, gain);
  return uniform_(tensor, -bound, bound, options);
}

/**
 * Normal with the standard deviation gain sqrt(2 / (fanIn + fanOut)) (`xavier_normal_`).
 * @param tensor a weight, [out, in, ...kernel]
 * @param gain `calculateGain` of what follows. Default 1.
 * @throws ShapeError for fewer than two dimensions; ArgumentError for a negative gain
 */
export function xavierNormal_(tensor: Tensor, gain = 1, options: InitOptions = {}): Tensor {
  return normal_(tensor, 0, xavierStd(tensor, gain), options);
}

/** Options of `kaimingUniform_` and `kaimingNormal_`. */
export interface KaimingOptions extends InitOptions {
  /** The slope of the leaky ReLU that follows. Default 0, a ReLU. */
  readonly a?: number;
  /** Whether variances are kept forwards ("fanIn") or backwards ("fanOut"). Default "fanIn". */
  readonly mode?: "fanIn" | "fanOut";
  /** What follows. Default "leakyRelu". */
  readonly nonlinearity?: Nonlinearity;
}

function kaimingStd(tensor: Tensor, { a = 0, mode = "fanIn", nonlinearity = "leakyRelu" }: KaimingOptions): number {
  const found = fans(tensor.shape);
  if (!Object.hasOwn(found, mode)) {
    throw new ArgumentError("kaiming", `there is no mode "${mode}"`, 'Use "fanIn" or "fanOut".');
  }
  return calculateGain(nonlinearity, a) / Math.sqrt(Math.max(1, found[mode]));
}

/**
 * Uniform with the standard deviation gain / sqrt(fan) (`kaiming_uniform_`): for ReLU and its kin.
 * @param tensor a weight, [out, in, ...kernel]
 * @throws ShapeError for fewer than two dimensions; ArgumentError for other names
 */
export function kaimingUniform_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = uniformReach * kaimingStd(tensor, options);
  return uniform_(tensor, -bound, bound, options);
}

/**
 * Normal with the standard deviation gain / sqrt(fan) (`kaiming_normal_`).
 * @param tensor a weight, [out, in, ...kernel]
 * @throws ShapeError for fewer than two dimensions; ArgumentError for other names
 *
 * @example
 * nn.init.kaimingNormal_(conv.weight, { mode: "fanOut", nonlinearity: "relu" });
 */
export function kaimingNormal_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  return normal_(tensor, 0, kaimingStd(tensor, options), options);
}

/**
 * A new parameter with PyTorch's default distribution of linear and convolutional layers, uniform within
 * 1 / sqrt(fanIn): Kaiming's with a = sqrt(5). Drawn as the parameter's first value, so it costs no assignment.
 */
export function defaultParameter(shape: readonly number[], fanIn: number, dtype: DType): Parameter {
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  return new Parameter(
    rand(shape, { dtype })
      .mul(2 * bound)
      .sub(bound),
  );
}
