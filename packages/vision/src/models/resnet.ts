// Residual networks (He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015, table 1), with the keys
// and initial distributions of `torchvision.models.resnet`, so that its weights load unchanged. Leans on gradus as any user
// does.

import { ArgumentError, F, nn, type Tensor } from "gradus";

/** What a block of either kind is made from. */
export interface ResidualBlockOptions {
  /** Of the 3x3 convolution that makes the image smaller, and of the shortcut. Default 1. */
  readonly stride?: number;
}

/** A 3x3 convolution that keeps the size at stride 1. A bias would be taken away by the normalization that follows. */
const conv3x3 = (inChannels: number, outChannels: number, stride = 1) =>
  new nn.Conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false });

const conv1x1 = (inChannels: number, outChannels: number, stride = 1) =>
  new nn.Conv2d(inChannels, outChannels, 1, { stride, bias: false });

/** The shortcut around a block: null where input and output have one shape, else a projection (section 3.3, option B). */
const shortcut = (inChannels: number, outChannels: number, stride: number) =>
  stride === 1 && inChannels === outChannels
    ? null
    : new nn.Sequential(conv1x1(inChannels, outChannels, stride), new nn.BatchNorm2d(outChannels));

/** Two 3x3 convolutions and a shortcut: [N, inChannels, H, W] to [N, channels, H / stride, W / stride]. */
export class BasicBlock extends nn.Module {
  /** Channels of the output for each of `channels`. */
  static readonly expansion = 1;
  /** 3x3, with the block's stride. */
  readonly conv1: nn.Conv2d;
  /** After the first convolution. */
  readonly bn1: nn.BatchNorm2d;
  /** 3x3 and stride 1. */
  readonly conv2: nn.Conv2d;
  /** After the second convolution, before the shortcut is added. */
  readonly bn2: nn.BatchNorm2d;
  /** The shortcut's projection, or null where the shapes are one. */
  readonly downsample: nn.Sequential | null;

  /**
   * @param inChannels channels of the input
   * @param channels channels of both convolutions, and so of the output
   */
  constructor(inChannels: number, channels: number, { stride = 1 }: ResidualBlockOptions = {}) {
    super();
    this.conv1 = conv3x3(inChannels, channels, stride);
    this.bn1 = new nn.BatchNorm2d(channels);
    this.conv2 = conv3x3(channels, channels);
    this.bn2 = new nn.BatchNorm2d(channels);
    this.downsample = shortcut(inChannels, channels, stride);
  }

  forward(x: Tensor): Tensor {
    const identity = this.downsample?.forward(x) ?? x;
    const hidden = this.bn1.forward(this.conv1.forward(x)).relu();
    return this.bn2.forward(this.conv2.forward(hidden)).add(identity).relu();
  }
}

/**
 * A 3x3 convolution between two of 1x1, the last of which makes four times the channels: [N, inChannels, H, W] to
 * [N, 4 channels, H / stride, W / stride]. The stride is the 3x3 convolution's, as in torchvision ("ResNet v1.5"); in the
 * paper it was the first one's.
 */
export class Bottleneck extends nn.Module {
  /** Channels of the output for each of `channels`. */
  static readonly expansion = 4;
  /** 1x1, to `channels`. */
  readonly conv1: nn.Conv2d;
  /** After the first convolution. */
  readonly bn1: nn.BatchNorm2d;
  /** 3x3, with the block's stride. */
  readonly conv2: nn.Conv2d;
  /** After the second convolution. */
  readonly bn2: nn.BatchNorm2d;
  /** 1x1, to four times `channels`. */
  readonly conv3: nn.Conv2d;
  /** After the third convolution, before the shortcut is added. */
  readonly bn3: nn.BatchNorm2d;
  /** The shortcut's projection, or null where the shapes are one. */
  readonly downsample: nn.Sequential | null;

  /**
   * @param inChannels channels of the input
   * @param channels channels of the first two convolutions; the output has four times as many
   */
  constructor(inChannels: number, channels: number, { stride = 1 }: ResidualBlockOptions = {}) {
    super();
    const outChannels = channels * Bottleneck.expansion;
    this.conv1 = conv1x1(inChannels, channels);
    this.bn1 = new nn.BatchNorm2d(channels);
    this.conv2 = conv3x3(channels, channels, stride);
    this.bn2 = new nn.BatchNorm2d(channels);
    this.conv3 = conv1x1(channels, outChannels);
    this.bn3 = new nn.BatchNorm2d(outChannels);
    this.downsample = shortcut(inChannels, outChannels, stride);
  }

  forward(x: Tensor): Tensor {
    const identity = this.downsample?.forward(x) ?? x;
    const narrow = this.bn1.forward(this.conv1.forward(x)).relu();
    const hidden = this.bn2.forward(this.conv2.forward(narrow)).relu();
    return this.bn3.forward(this.conv3.forward(hidden)).add(identity).relu();
  }
}

/** The class of a block, of which a ResNet makes as many as it needs. */
export interface ResidualBlockClass {
  /** Channels of the output for each of `channels`. */
  readonly expansion: number;
  new (inChannels: number, channels: number, options?: ResidualBlockOptions): nn.Module;
}

/** Options of `ResNet` and of those of the paper. */
export interface ResNetOptions {
  /** Default 1000, as in ImageNet. */
  readonly classes?: number;
  /**
   * Whether the first layer is a 3x3 convolution of stride 1 without pooling (section 4.2), for images of about 32x32,
   * instead of one of 7x7 and stride 2 with max pooling, for 224x224. Default false.
   */
  readonly smallImages?: boolean;
  /** Channels of the images. Default 3. */
  readonly inChannels?: number;
  /** Channels of the first stage; each one after has twice as many as the one before. Default 64. */
  readonly width?: number;
  /**
   * Whether the last norm of each block begins with a weight of 0, so that every block begins as its shortcut (P. Goyal
   * et al., "Accurate, large minibatch SGD", 2017, section 5.1; torchvision's `zero_init_residual`). Default false.
   */
  readonly zeroInitResidual?: boolean;
}

/**
 * A residual network of stages of blocks, which have 64, 128, 256, ... channels (times the block's expansion) and of which
 * all but the first halve the image: [N, inChannels, H, W] to logits [N, classes].
 *
 * @example
 * const model = new ResNet(BasicBlock, [3, 3, 3], { classes: 10, smallImages: true, width: 16 }); // the paper's for CIFAR
 */
export class ResNet extends nn.Module {
  /** The first layer: 7x7 with stride 2, or 3x3 with stride 1 for small images. */
  readonly conv1: nn.Conv2d;
  /** After the first convolution. */
  readonly bn1: nn.BatchNorm2d;
  /** 3x3 with stride 2, or null for small images. */
  readonly maxpool: nn.MaxPool2d | null;
  // Made when it is known how many stages there are, so that their keys stand in torchvision's order.
  /** The first stage. */
  declare readonly layer1: nn.Sequential;
  /** The second stage; not there in a network of one. */
  declare readonly layer2: nn.Sequential;
  /** The third stage; not there in a network of two. */
  declare readonly layer3: nn.Sequential;
  /** The fourth stage; not there in a network of three. Further ones are in `stages`. */
  declare readonly layer4: nn.Sequential;
  /** From features to classes; another layer may take its place for another task. */
  declare fc: nn.Linear;
  private readonly stageCount: number;

  /**
   * @param blocks how many blocks each stage has
   * @throws ArgumentError without a stage, or for a stage without blocks
   */
  constructor(
    Block: ResidualBlockClass,
    blocks: readonly number[],
    { classes = 1000, smallImages = false, inChannels = 3, width = 64, zeroInitResidual = false }: ResNetOptions = {},
  ) {
    super();
    if (blocks.length === 0 || blocks.some((count) => !Number.isInteger(count) || count < 1)) {
      throw new ArgumentError("ResNet", `stages of [${blocks.join(", ")}] blocks are none`, "Use integers from 1.");
    }
    this.conv1 = smallImages
      ? conv3x3(inChannels, width)
      : new nn.Conv2d(inChannels, width, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = new nn.BatchNorm2d(width);
    this.maxpool = smallImages ? null : new nn.MaxPool2d(3, { stride: 2, padding: 1 });
    this.stageCount = blocks.length;
    let reached = width;
    blocks.forEach((count, stage) => {
      const channels = width * 2 ** stage;
      const layers = Array.from({ length: count }, (_, i) => {
        const block = new Block(reached, channels, { stride: stage > 0 && i === 0 ? 2 : 1 });
        reached = channels * Block.expansion;
        return block;
      });
      this.registerModule(`layer${stage + 1}`, new nn.Sequential(...layers));
    });
    this.fc = new nn.Linear(reached, classes);
    // Norms begin with ones and zeros, and the linear layer with its default, by themselves.
    for (const module of this.modules()) {
      if (module instanceof nn.Conv2d) {
        nn.init.kaimingNormal_(module.weight, { mode: "fanOut", nonlinearity: "relu" });
      }
      if (zeroInitResidual && module instanceof BasicBlock) nn.init.zeros_(module.bn2.weight!);
      if (zeroInitResidual && module instanceof Bottleneck) nn.init.zeros_(module.bn3.weight!);
    }
  }

  /** All stages: `layer1`, `layer2`, ... */
  get stages(): readonly nn.Sequential[] {
    const fields = this as unknown as Readonly<Record<string, nn.Sequential>>;
    return Array.from({ length: this.stageCount }, (_, stage) => fields[`layer${stage + 1}`]);
  }

  /** What the linear layer sees: [N, inChannels, H, W] to [N, features]. */
  features(x: Tensor): Tensor {
    const stem = this.bn1.forward(this.conv1.forward(x)).relu();
    let features = this.maxpool?.forward(stem) ?? stem;
    for (const stage of this.stages) features = stage.forward(features);
    return F.adaptiveAvgPool2d(features, 1).flatten(1);
  }

  forward(x: Tensor): Tensor {
    return this.fc.forward(this.features(x));
  }
}

/**
 * The 18-layer residual network: [N, 3, H, W] to logits [N, classes], 11,689,512 parameters with 1000 classes
 * (`torchvision.models.resnet18`).
 *
 * @example
 * const model = resnet18({ classes: 10, smallImages: true });
 * const logits = model.forward(images); // [N, 3, 32, 32] to [N, 10]
 */
export function resnet18(options: ResNetOptions = {}): ResNet {
  return new ResNet(BasicBlock, [2, 2, 2, 2], options);
}

/** The 34-layer residual network, 21,797,672 parameters with 1000 classes (`torchvision.models.resnet34`). */
export function resnet34(options: ResNetOptions = {}): ResNet {
  return new ResNet(BasicBlock, [3, 4, 6, 3], options);
}

/** The 50-layer residual network of bottlenecks, 25,557,032 parameters with 1000 classes (`torchvision.models.resnet50`). */
export function resnet50(options: ResNetOptions = {}): ResNet {
  return new ResNet(Bottleneck, [3, 4, 6, 3], options);
}
