// The perceptron (Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the
// brain", 1958) with its learning rule. The rule looks at one sample after the other, each with what the one before has
// taught, so it runs on the host over plain numbers and not as a graph. It ends for classes that a plane separates: after
// at most (R / gamma)^2 mistakes for samples of norm R and a margin of gamma (Novikoff, 1962).

import {
  ArgumentError,
  type DType,
  noGrad,
  Parameter,
  ShapeError,
  Tensor,
  type TypedArray,
  zeros,
} from "../tensor/index.ts";
import { heaviside } from "./functional/activation.ts";
import { linear } from "./functional/linear.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

/** Options of `Perceptron`. */
export interface PerceptronOptions {
  /** How far a mistake moves the weights. Since they begin at 0 it only scales them. Positive. Default 1. */
  readonly lr?: number;
  /** Whether there is a bias, the negative threshold of the unit; else the plane runs through 0. Default true. */
  readonly bias?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

/** Options of `fit`. */
export interface PerceptronFitOptions {
  /** When to give up on classes that no plane separates. Default 1000. */
  readonly maxEpochs?: number;
}

/**
 * A single threshold unit: 1 where w x + b is positive, else 0 (Rosenblatt, 1958). Weights begin at 0 and are those of a
 * `Linear(inFeatures, 1)`. The gradient of the step is 0, so an optimizer teaches it nothing; `fit` and `learn` do.
 *
 * @example
 * const unit = new nn.Perceptron(2);
 * const x = gd.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]);
 * const mistakes = await unit.fit(x, gd.tensor([0, 0, 0, 1])); // of every epoch; the last one has none
 * await unit.forward(x).toArray();                             // [0, 0, 0, 1]
 */
export class Perceptron extends Module {
  /** [1, inFeatures] */
  weight: Parameter;
  /** [1], or null */
  bias: Parameter | null = null;
  /** How far a mistake moves the weights. */
  readonly lr: number;

  /**
   * @param inFeatures how many numbers a sample has
   * @throws ArgumentError unless it is an integer from 1, and lr positive
   */
  constructor(
    readonly inFeatures: number,
    { lr = 1, bias = true, dtype = "float32" }: PerceptronOptions = {},
  ) {
    super();
    checkSizes("Perceptron", { inFeatures });
    if (!(lr > 0 && Number.isFinite(lr)))
      throw new ArgumentError("Perceptron", `lr is ${lr}`, "Use a positive number.");
    this.lr = lr;
    this.weight = new Parameter(zeros([1, inFeatures], { dtype }));
    if (bias) this.bias = new Parameter(zeros([1], { dtype }));
  }

  /**
   * @param x [..., inFeatures]
   * @returns [...] of x's dtype: 1 where the sum is positive, else 0
   */
  forward(x: Tensor): Tensor {
    return heaviside(linear(x, this.weight, this.bias).squeeze(-1));
  }

  /**
   * Looks at every sample once, in order, and corrects each mistake at once: w += lr (target - prediction) x, and the
   * same with 1 for x for the bias.
   * @param x [N, inFeatures], or [inFeatures] for one sample
   * @param target [N] or [], of 0 and 1
   * @returns how many mistakes there were
   * @throws ShapeError if the shapes do not fit, ArgumentError for other targets and for samples that are not finite
   */
  async learn(x: Tensor, target: Tensor): Promise<number> {
    const [mistakes] = await this.fit(x, target, { maxEpochs: 1 });
    return mistakes;
  }

  /**
   * Looks at all samples again and again, until an epoch passes without a mistake.
   * @param x [N, inFeatures], or [inFeatures] for one sample
   * @param target [N] or [], of 0 and 1
   * @returns how many mistakes each epoch had; the last has none, unless `maxEpochs` were not enough
   * @throws ShapeError if the shapes do not fit, ArgumentError for other targets and for samples that are not finite
   */
  async fit(x: Tensor, target: Tensor, { maxEpochs = 1000 }: PerceptronFitOptions = {}): Promise<number[]> {
    if (!(Number.isInteger(maxEpochs) && maxEpochs >= 1)) {
      throw new ArgumentError("Perceptron", `maxEpochs is ${maxEpochs}`, "Use an integer from 1.");
    }
    this.checkShapes(x, target);
    const samples = await x.data();
    const wanted = await target.data();
    checkTargets(wanted);
    if (!samples.every((value: number) => Number.isFinite(value))) {
      throw new ArgumentError("Perceptron", "a sample has a number that is not finite", "Leave it out or repair it.");
    }
    // Copies, in which every new weight is rounded as the parameter rounds it.
    const weight = await this.weight.data();
    const bias = this.bias === null ? weight.subarray(0, 0) : await this.bias.data();
    const mistakes: number[] = [];
    do mistakes.push(this.correct(samples, wanted, weight, bias));
    while (mistakes[mistakes.length - 1] > 0 && mistakes.length < maxEpochs);
    noGrad(() => {
      this.weight.copy_(Tensor.fromArray(weight, this.weight.shape));
      this.bias?.copy_(Tensor.fromArray(bias, this.bias.shape));
    });
    return mistakes;
  }

  /** One epoch. The sum is the one of `forward`; both are exact for small integers. */
  private correct(samples: ArrayLike<number>, wanted: ArrayLike<number>, weight: TypedArray, bias: TypedArray): number {
    const features = this.inFeatures;
    let mistakes = 0;
    for (let n = 0; n < wanted.length; n++) {
      let sum = bias.length > 0 ? bias[0] : 0;
      for (let i = 0; i < features; i++) sum += weight[i] * samples[n * features + i];
      const error = wanted[n] - (sum > 0 ? 1 : 0);
      if (error === 0) continue;
      mistakes++;
      for (let i = 0; i < features; i++) weight[i] += this.lr * error * samples[n * features + i];
      if (bias.length > 0) bias[0] += this.lr * error;
    }
    return mistakes;
  }

  private checkShapes(x: Tensor, target: Tensor): void {
    const { inFeatures } = this;
    if (x.ndim < 1 || x.ndim > 2 || x.shape[x.ndim - 1] !== inFeatures) {
      throw new ShapeError(
        "Perceptron",
        [x.shape],
        "these are no samples for it",
        `Give it [N, ${inFeatures}], or make it as Perceptron(${x.shape[x.ndim - 1] ?? 1}).`,
      );
    }
    const expected = x.shape.slice(0, -1);
    if (target.shape.join() !== expected.join() || target.ndim !== expected.length) {
      throw new ShapeError(
        "Perceptron",
        [x.shape, target.shape],
        "there must be one target for each sample",
        `Give it targets of [${expected.join(", ")}].`,
      );
    }
  }

  override extraRepr(): string {
    return `inFeatures=${this.inFeatures}, lr=${this.lr}, bias=${this.bias !== null}`;
  }
}

function checkTargets(wanted: ArrayLike<number>): void {
  const wrong = Array.from(wanted).findIndex((value) => value !== 0 && value !== 1);
  if (wrong < 0) return;
  throw new ArgumentError(
    "Perceptron",
    `target ${wrong} is ${wanted[wrong]}`,
    "Use 0 and 1 for the two classes; from -1 and 1 they are target.gt(0).",
  );
}
