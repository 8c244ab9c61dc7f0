// The residual block as courses write it, with the choice of its shortcut left to the reader: A. Zhang, Z. Lipton, M. Li,
// A. Smola, "Dive into Deep Learning", section 8.6. The blocks of resnet.ts are those of torchvision instead. Leans on
// gradus as any user does.

import { nn, ShapeError, type Tensor } from "gradus";

/** Options of `ResidualBlock`. */
export interface ResidualBlockLayerOptions {
  /** Whether the shortcut is a 1x1 convolution, which it must be where channels or size change. Default false. */
  readonly use1x1Conv?: boolean;
  /** Of the first convolution and of the shortcut. Default 1. */
  readonly strides?: number;
}

/**
 * Two 3x3 convolutions with batch normalization, and a shortcut that is added before the last rectifier:
 * [N, C, H, W] to [N, channels, H / strides, W / strides]. How many channels come in is learned from the first input.
 *
 * @example
 * const block = new ResidualBlock(64, { use1x1Conv: true, strides: 2 });
 * block.forward(gd.randn([4, 3, 6, 6])).shape; // [4, 64, 3, 3]
 */
export class ResidualBlock extends nn.Module {
  /** 3x3, with the block's stride. */
  readonly conv1: nn.Conv2d;
  /** 3x3 and stride 1. */
  readonly conv2: nn.Conv2d;
  /** The 1x1 convolution of the shortcut, or null for the input itself. */
  readonly conv3: nn.Conv2d | null;
  /** After the first convolution. */
  readonly bn1: nn.BatchNorm2d;
  /** After the second convolution, before the shortcut is added. */
  readonly bn2: nn.BatchNorm2d;

  /**
   * @param channels of the output
   * @param options the stride, and what the shortcut is
   */
  constructor(channels: number, { use1x1Conv = false, strides = 1 }: ResidualBlockLayerOptions = {}) {
    super();
    this.conv1 = new nn.LazyConv2d(channels, 3, { padding: 1, stride: strides });
    this.conv2 = new nn.LazyConv2d(channels, 3, { padding: 1 });
    this.conv3 = use1x1Conv ? new nn.LazyConv2d(channels, 1, { stride: strides }) : null;
    this.bn1 = new nn.BatchNorm2d(channels);
    this.bn2 = new nn.BatchNorm2d(channels);
  }

  /** @throws ShapeError where the shortcut and the convolutions give other shapes, for want of the 1x1 convolution */
  forward(x: Tensor): Tensor {
    const hidden = this.bn1.forward(this.conv1.forward(x)).relu();
    const residual = this.bn2.forward(this.conv2.forward(hidden));
    const shortcut = this.conv3?.forward(x) ?? x;
    if (shortcut.shape.join() !== residual.shape.join()) {
      throw new ShapeError(
        "shortcut",
        [x.shape, residual.shape],
        "what goes in cannot be added to what the convolutions give",
        "Pass { use1x1Conv: true }.",
      );
    }
    return residual.add(shortcut).relu();
  }
}
