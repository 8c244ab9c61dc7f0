// LeNet-5, the first convolutional network that went to work (LeCun, Bottou, Bengio and Haffner, "Gradient-based learning
// applied to document recognition", 1998), as "Dive into Deep Learning" teaches it (section 7.6), and with what has been
// learned since: rectifiers, maxima and normalized batches.

import { nn, type Tensor } from "gradus";
import { initializeXavier, materialize } from "./initialize.ts";

/** Options of `LeNet` and `modernLeNet`. */
export interface LeNetOptions {
  /** Default 10. */
  readonly classes?: number;
  /** The shape of one image, [C, H, W]. Default [1, 28, 28]. */
  readonly imageShape?: readonly [number, number, number];
}

/**
 * Sigmoids, mean pooling, and Xavier's initial weights: [N, 1, 28, 28] to logits [N, 10], with 61,706 parameters.
 *
 * @example
 * const model = new LeNet();
 * const logits = model.forward(images); // [N, 10]
 */
export class LeNet extends nn.Module {
  /** All layers, from the first convolution to the last linear one. */
  readonly net: nn.Sequential;

  /** @param options how many classes there are, and the shape of an image */
  constructor({ classes = 10, imageShape = [1, 28, 28] }: LeNetOptions = {}) {
    super();
    this.net = new nn.Sequential(
      new nn.LazyConv2d(6, 5, { padding: 2 }),
      new nn.Sigmoid(),
      new nn.AvgPool2d(2, { stride: 2 }),
      new nn.LazyConv2d(16, 5),
      new nn.Sigmoid(),
      new nn.AvgPool2d(2, { stride: 2 }),
      new nn.Flatten(),
      new nn.LazyLinear(120),
      new nn.Sigmoid(),
      new nn.LazyLinear(84),
      new nn.Sigmoid(),
      new nn.LazyLinear(classes),
    );
    materialize(this, [1, ...imageShape]).apply(initializeXavier);
  }

  forward(x: Tensor): Tensor {
    return this.net.forward(x);
  }
}

/**
 * LeNet's plan with batch normalization (Ioffe and Szegedy, 2015), rectifiers and max pooling, and more channels:
 * [N, 1, 28, 28] to logits [N, 10]. It learns in two epochs what the old one does not in twenty.
 */
export function modernLeNet({ classes = 10, imageShape = [1, 28, 28] }: LeNetOptions = {}): nn.Sequential {
  // A normalized layer needs no bias of its own: the normalization takes it away and adds another.
  const stage = (channels: number, padding: number): readonly nn.Module[] => [
    new nn.LazyConv2d(channels, 5, { padding, bias: false }),
    new nn.BatchNorm2d(channels),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
  ];
  const model = new nn.Sequential(
    ...stage(16, 2),
    ...stage(32, 0),
    new nn.Flatten(),
    new nn.LazyLinear(120, { bias: false }),
    new nn.BatchNorm1d(120),
    new nn.ReLU(),
    new nn.LazyLinear(classes),
  );
  return materialize(model, [1, ...imageShape]);
}
