// A multilayer perceptron for images: the model to compare others with.

import { nn } from "gradus";

/** Options of `mlp`. */
export interface MlpOptions {
  /** Numbers an image has. Default 784, which is 28x28. */
  readonly inputs?: number;
  /** The sizes of the hidden layers. Default [256, 128]. */
  readonly hidden?: readonly number[];
  /** Default 10. */
  readonly classes?: number;
}

/** Linear layers with rectifiers in between: [N, ...] to logits [N, classes], by default 784-256-128-10. */
export function mlp({ inputs = 784, hidden = [256, 128], classes = 10 }: MlpOptions = {}): nn.Sequential {
  const sizes = [inputs, ...hidden];
  return new nn.Sequential(
    new nn.Flatten(),
    ...hidden.flatMap((size, i) => [new nn.Linear(sizes[i], size), new nn.ReLU()]),
    new nn.Linear(sizes[sizes.length - 1], classes),
  );
}
