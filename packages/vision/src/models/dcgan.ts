// The deep convolutional GAN (Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional
// generative adversarial networks", 2015), for images of 64x64 with the keys and initial distributions of PyTorch's DCGAN
// tutorial, and on the same plan for those of 32x32 and 28x28. Leans on gradus as any user does.

import { ArgumentError, nn, type Tensor } from "gradus";

/** Section 3: weights from N(0, 0.02); PyTorch's tutorial gives those of the norms N(1, 0.02). */
function initialize(module: nn.AnyModule): void {
  if (module instanceof nn.Conv2d || module instanceof nn.ConvTranspose2d) nn.init.normal_(module.weight, 0, 0.02);
  if (module instanceof nn.BatchNorm2d) nn.init.normal_(module.weight!, 1, 0.02);
}

/** Height and width of the images. */
export type DcganImageSize = 28 | 32 | 64;

/** The sides of the images that layer after layer makes, beginning with the one that is made of a point. */
const SIDES: Readonly<Record<DcganImageSize, readonly number[]>> = {
  64: [4, 8, 16, 32, 64],
  32: [4, 8, 16, 32],
  28: [4, 7, 14, 28],
};

function sidesOf(model: string, imageSize: DcganImageSize): readonly number[] {
  const sides = SIDES[imageSize];
  if (sides === undefined) {
    const known = Object.keys(SIDES).join(", ");
    throw new ArgumentError(model, `images of ${String(imageSize)} pixels are not planned for`, `Use one of ${known}.`);
  }
  return sides;
}

/** The size of a convolution's kernel, and its options. No norm needs a bias. */
type Convolution = readonly [
  kernelSize: number,
  options: { readonly stride?: number; readonly padding?: number; readonly bias: false },
];

/** Between a side and about its double lies a stride of 2; from 4 to 7 the kernel sees three pixels, else four. */
const between = (small: number, large: number): Convolution => [
  large === 2 * small ? 4 : 3,
  { stride: 2, padding: 1, bias: false },
];

/** Images are made of a point, or become one. */
const toOrFromPoint: Convolution = [4, { bias: false }];

/** Options of `DcganGenerator`. */
export interface DcganGeneratorOptions {
  /** Numbers in a latent vector. Default 100. */
  readonly latent?: number;
  /** Channels of the last hidden layer; each one before has twice as many as the one after. Default 64. */
  readonly features?: number;
  /** Channels of the images. Default 3. */
  readonly channels?: number;
  /** Height and width of the images: 28, 32 or 64. Default 64. */
  readonly imageSize?: DcganImageSize;
  /** Whether a tanh keeps the images within -1 and 1. Without it something else has to, such as a penalty. Default true. */
  readonly tanh?: boolean;
}

/**
 * Makes images of latent vectors: [N, latent, 1, 1] or [N, latent] to [N, channels, imageSize, imageSize] within -1 and 1.
 * 3,576,704 parameters by default.
 *
 * @example
 * const generator = new DcganGenerator();
 * const images = generator.forward(gd.randn([16, 100, 1, 1]));
 */
export class DcganGenerator extends nn.Module {
  /** Transposed convolutions, batch normalizations and rectifiers, under PyTorch's keys "main.0", ... */
  readonly main: nn.Sequential;
  /** Numbers in a latent vector. */
  readonly latent: number;

  /** @throws ArgumentError for another size of images */
  constructor({ latent = 100, features = 64, channels = 3, imageSize = 64, tanh = true }: DcganGeneratorOptions = {}) {
    super();
    this.latent = latent;
    const sides = sidesOf("DcganGenerator", imageSize);
    const hidden = sides.length - 1;
    const widths = Array.from({ length: hidden }, (_, i) => features * 2 ** (hidden - 1 - i));
    const convolutions = [toOrFromPoint, ...sides.slice(1).map((side, i) => between(sides[i], side))];
    this.main = new nn.Sequential(
      ...widths.flatMap((width, i) => [
        new nn.ConvTranspose2d(widths[i - 1] ?? latent, width, ...convolutions[i]),
        new nn.BatchNorm2d(width),
        new nn.ReLU(),
      ]),
      new nn.ConvTranspose2d(features, channels, ...convolutions[hidden]),
      ...(tanh ? [new nn.Tanh()] : []),
    );
    this.apply(initialize);
  }

  forward(latent: Tensor): Tensor {
    return this.main.forward(latent.ndim === 2 ? latent.unsqueeze(-1).unsqueeze(-1) : latent);
  }
}

/** Options of `DcganDiscriminator`. */
export interface DcganDiscriminatorOptions {
  /** Channels of the first hidden layer; each one after has twice as many as the one before. Default 64. */
  readonly features?: number;
  /** Channels of the images. Default 3. */
  readonly channels?: number;
  /** Height and width of the images: 28, 32 or 64. Default 64. */
  readonly imageSize?: DcganImageSize;
  /**
   * Whether the model ends in a sigmoid, as the tutorial's does, and gives probabilities for nn.BCELoss. Default false:
   * it gives logits for nn.BCEWithLogitsLoss, which is exact where probabilities are near 0 or 1.
   */
  readonly sigmoid?: boolean;
}

/**
 * Tells real images from made ones: [N, channels, imageSize, imageSize] to logits [N], positive for real, or with `sigmoid`
 * to probabilities. 2,765,568 parameters by default.
 */
export class DcganDiscriminator extends nn.Module {
  /** Convolutions, batch normalizations and leaky rectifiers, under PyTorch's keys "main.0", ... */
  readonly main: nn.Sequential;

  /** @throws ArgumentError for another size of images */
  constructor({ features = 64, channels = 3, imageSize = 64, sigmoid = false }: DcganDiscriminatorOptions = {}) {
    super();
    const sides = sidesOf("DcganDiscriminator", imageSize).toReversed();
    const convolutions = sides.slice(1).map((side, i) => between(side, sides[i]));
    const widths = convolutions.map((_, i) => features * 2 ** i);
    this.main = new nn.Sequential(
      ...widths.flatMap((width, i) => [
        new nn.Conv2d(widths[i - 1] ?? channels, width, ...convolutions[i]),
        // The images themselves are not normalized (section 3).
        ...(i === 0 ? [] : [new nn.BatchNorm2d(width)]),
        new nn.LeakyReLU(0.2),
      ]),
      new nn.Conv2d(widths[widths.length - 1], 1, ...toOrFromPoint),
      ...(sigmoid ? [new nn.Sigmoid()] : []),
    );
    this.apply(initialize);
  }

  forward(images: Tensor): Tensor {
    return this.main.forward(images).flatten();
  }
}
