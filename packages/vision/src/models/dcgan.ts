// The deep convolutional GAN (Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional
// generative adversarial networks", 2015), for images of 64x64, with the keys and initial distributions of PyTorch's DCGAN
// tutorial. Leans on gradus as any user does.

import { nn, type Tensor } from "gradus";

/** Section 3: weights from N(0, 0.02); PyTorch's tutorial gives those of the norms N(1, 0.02). */
function initialize(module: nn.AnyModule): void {
  if (module instanceof nn.Conv2d || module instanceof nn.ConvTranspose2d) nn.init.normal_(module.weight, 0, 0.02);
  if (module instanceof nn.BatchNorm2d) nn.init.normal_(module.weight!, 1, 0.02);
}

/** Every convolution here doubles or halves the image, but the one that begins or ends at 1x1. No norm needs a bias. */
const halving = { stride: 2, padding: 1, bias: false } as const;
const toOrFromPoint = { bias: false } as const;

export interface DcganGeneratorOptions {
  /** Numbers in a latent vector. Default 100. */
  readonly latent?: number;
  /** Channels of the last hidden layer; those before have two, four and eight times as many. Default 64. */
  readonly features?: number;
  /** Channels of the images. Default 3. */
  readonly channels?: number;
}

/**
 * Makes images of latent vectors: [N, latent, 1, 1] to [N, channels, 64, 64] within -1 and 1. 3,576,704 parameters by
 * default.
 *
 * @example
 * const generator = new DcganGenerator();
 * const images = generator.forward(gd.randn([16, 100, 1, 1]));
 */
export class DcganGenerator extends nn.Module {
  readonly main: nn.Sequential;

  constructor({ latent = 100, features = 64, channels = 3 }: DcganGeneratorOptions = {}) {
    super();
    const widths = [8, 4, 2, 1].map((factor) => factor * features);
    this.main = new nn.Sequential(
      ...widths.flatMap((width, i) => [
        new nn.ConvTranspose2d(widths[i - 1] ?? latent, width, 4, i === 0 ? toOrFromPoint : halving),
        new nn.BatchNorm2d(width),
        new nn.ReLU(),
      ]),
      new nn.ConvTranspose2d(features, channels, 4, halving),
      new nn.Tanh(),
    );
    this.apply(initialize);
  }

  forward(latent: Tensor): Tensor {
    return this.main.forward(latent);
  }
}

export interface DcganDiscriminatorOptions {
  /** Channels of the first hidden layer; those after have two, four and eight times as many. Default 64. */
  readonly features?: number;
  /** Channels of the images. Default 3. */
  readonly channels?: number;
}

/**
 * Tells real images from made ones: [N, channels, 64, 64] to logits [N], positive for real. 2,765,568 parameters by
 * default. The sigmoid that ends the tutorial's model is left to the loss, which is exact: use nn.BCEWithLogitsLoss where
 * the tutorial has BCELoss, or `logits.sigmoid()` for probabilities.
 */
export class DcganDiscriminator extends nn.Module {
  readonly main: nn.Sequential;

  constructor({ features = 64, channels = 3 }: DcganDiscriminatorOptions = {}) {
    super();
    const widths = [1, 2, 4, 8].map((factor) => factor * features);
    this.main = new nn.Sequential(
      ...widths.flatMap((width, i) => [
        new nn.Conv2d(widths[i - 1] ?? channels, width, 4, halving),
        // The images themselves are not normalized (section 3).
        ...(i === 0 ? [] : [new nn.BatchNorm2d(width)]),
        new nn.LeakyReLU(0.2),
      ]),
      new nn.Conv2d(widths[3], 1, 4, toOrFromPoint),
    );
    this.apply(initialize);
  }

  forward(images: Tensor): Tensor {
    return this.main.forward(images).flatten();
  }
}
