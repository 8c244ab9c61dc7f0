// Initial values of parameters (`torch.nn.init`). The functions ending in an underscore assign to a tensor, outside of any
// gradient. Sources: Glorot and Bengio (2010) for Xavier's, He et al. (2015) for Kaiming's.

import {
  ArgumentError,
  type DType,
  eye,
  type Generator,
  noGrad,
  Parameter,
  rand,
  randn,
  ShapeError,
  type Tensor,
} from "../tensor/index.ts";

export interface InitOptions {
  /** Where random numbers come from. Default: the default generator. */
  readonly generator?: Generator;
}

type Nonlinearity = "linear" | "conv1d" | "conv2d" | "sigmoid" | "tanh" | "relu" | "leakyRelu" | "selu";

export interface KaimingOptions extends InitOptions {
  /** The slope of the leaky ReLU that follows. Default 0. */
  readonly a?: number;
  /** Whether variances are kept forwards or backwards. Default "fanIn". */
  readonly mode?: "fanIn" | "fanOut";
  /** Default "leakyRelu". */
  readonly nonlinearity?: Nonlinearity;
}

const gains: { readonly [N in Nonlinearity]: (slope: number) => number } = {
  linear: () => 1,
  conv1d: () => 1,
  conv2d: () => 1,
  sigmoid: () => 1,
  tanh: () => 5 / 3,
  relu: () => Math.SQRT2,
  leakyRelu: (slope) => Math.sqrt(2 / (1 + slope ** 2)),
  selu: () => 3 / 4,
};

/** The factor by which a nonlinearity must be made up for (`torch.nn.init.calculate_gain`). */
export function calculateGain(nonlinearity: Nonlinearity, negativeSlope = 0.01): number {
  const gain = gains[nonlinearity];
  if (gain === undefined) {
    throw new ArgumentError(
      "calculateGain",
      `there is no nonlinearity "${nonlinearity}"`,
      `Use one of ${Object.keys(gains).join(", ")}.`,
    );
  }
  return gain(negativeSlope);
}

/** How many inputs each output of a weight sees, and how many outputs each input reaches. */
export function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  if (shape.length < 2) {
    throw new ShapeError("init", [shape], "fans need a weight of two dimensions or more", "Use uniform_ or normal_.");
  }
  const field = shape.slice(2).reduce((product, extent) => product * extent, 1);
  return { fanIn: shape[1] * field, fanOut: shape[0] * field };
}

function assign(tensor: Tensor, value: () => Tensor | number): Tensor {
  return noGrad(() => tensor.copy_(value()));
}

/** Random numbers for a tensor: its shape, its dtype. */
const drawing = (tensor: Tensor, { generator }: InitOptions) => ({ dtype: tensor.dtype, generator });

/** Uniform in [a, b). */
export function uniform_(tensor: Tensor, a = 0, b = 1, options: InitOptions = {}): Tensor {
  return assign(tensor, () =>
    rand(tensor.shape, drawing(tensor, options))
      .mul(b - a)
      .add(a),
  );
}

export function normal_(tensor: Tensor, mean = 0, std = 1, options: InitOptions = {}): Tensor {
  return assign(tensor, () => randn(tensor.shape, drawing(tensor, options)).mul(std).add(mean));
}

export function constant_(tensor: Tensor, value: number): Tensor {
  return assign(tensor, () => value);
}

export function ones_(tensor: Tensor): Tensor {
  return constant_(tensor, 1);
}

export function zeros_(tensor: Tensor): Tensor {
  return constant_(tensor, 0);
}

/** Ones on the diagonal of a matrix. */
export function eye_(tensor: Tensor): Tensor {
  if (tensor.ndim !== 2) throw new ShapeError("eye_", [tensor.shape], "only a matrix has a diagonal");
  return assign(tensor, () => eye(tensor.shape[0], tensor.shape[1], { dtype: tensor.dtype }));
}

function xavierStd(tensor: Tensor, gain: number): number {
  const { fanIn, fanOut } = fans(tensor.shape);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}

export function xavierUniform_(tensor: Tensor, gain = 1, options: InitOptions = {}): Tensor {
  const bound = Math.sqrt(3) * xavierStd(tensor, gain);
  return uniform_(tensor, -bound, bound, options);
}

export function xavierNormal_(tensor: Tensor, gain = 1, options: InitOptions = {}): Tensor {
  return normal_(tensor, 0, xavierStd(tensor, gain), options);
}

function kaimingStd(tensor: Tensor, { a = 0, mode = "fanIn", nonlinearity = "leakyRelu" }: KaimingOptions): number {
  return calculateGain(nonlinearity, a) / Math.sqrt(fans(tensor.shape)[mode]);
}

export function kaimingUniform_(tensor: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd(tensor, options);
  return uniform_(tensor, -bound, bound, options);
}

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
