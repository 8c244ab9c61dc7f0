// The table of workloads: what one step is, how large it is by default, how much arithmetic it takes and which peers
// have the same work written out. To add a workload is to add a row here, a builder in gradus/workloads.ts and one in
// each peer that the row names.
//
// Arithmetic counts the multiply-adds of matrix products and convolutions as two operations each and nothing else, as
// is the custom (Williams, Waterman and Patterson, "Roofline", 2009). A training step does each contraction three
// times (output, gradient of the weights, gradient of the input), the first layer only twice: data wants no gradient.

export const peerNames = ["pytorch", "jax-js", "tfjs-wasm", "tfjs-cpu"] as const;
export type PeerName = (typeof peerNames)[number];

export const workloadNames = [
  "matmul",
  "mlp",
  "lenet",
  "resnet18",
  "dcgan",
  "conv1d",
  "softmax",
  "layernorm",
  "elementwise",
] as const;
export type WorkloadName = (typeof workloadNames)[number];

/** What a user can scale: the edge of a matrix, or the samples in a batch. */
export type SizeName = "size" | "batchSize";
export type Sizes = Readonly<Partial<Record<SizeName, number>>>;

export interface WorkloadRow {
  readonly summary: string;
  /** The sizes this workload has, with their defaults; others are refused. */
  readonly defaults: Sizes;
  /** Timed steps in one round. */
  readonly steps: number;
  /** Operations, where they bound the workload. */
  readonly flopsPerStep?: (sizes: Sizes) => number;
  /** Bytes read and written, where they do. */
  readonly bytesPerStep?: (sizes: Sizes) => number;
  readonly peers: readonly PeerName[];
}

/**
 * Multiply-adds of one sample in a convolution whose kernel has `taps` elements; `positions` are the outputs', or the
 * inputs' of a transposed convolution.
 */
const convolution = (inputs: number, outputs: number, taps: number, positions: number): number =>
  inputs * outputs * taps * positions;

const times = (count: number, value: number): number[] => new Array<number>(count).fill(value);

/** Multiply-adds per sample of each layer with weights, first layer first. */
const mlpLayers = [784 * 256, 256 * 128, 128 * 10];
const lenetLayers = [
  ...[convolution(1, 6, 25, 28 ** 2), convolution(6, 16, 25, 10 ** 2)],
  ...[400 * 120, 120 * 84, 84 * 10],
];
const resnet18Layers = [
  convolution(3, 64, 9, 32 ** 2),
  ...times(4, convolution(64, 64, 9, 32 ** 2)),
  // Each of these stages begins with a convolution that halves the image, and a projection around it.
  ...[64, 128, 256].flatMap((inputs, i) => {
    const [outputs, positions] = [2 * inputs, (16 >> i) ** 2];
    const [entry, projection] = [9, 1].map((taps) => convolution(inputs, outputs, taps, positions)) as [number, number];
    return [entry, projection, ...times(3, convolution(outputs, outputs, 9, positions))];
  }),
  512 * 10,
];
const generatorLayers = [
  convolution(100, 512, 16, 1),
  ...[512, 256, 128].map((inputs, i) => convolution(inputs, inputs / 2, 16, (4 << i) ** 2)),
  convolution(64, 3, 16, 32 ** 2),
];
const discriminatorLayers = [
  convolution(3, 64, 16, 32 ** 2),
  ...[64, 128, 256].map((inputs, i) => convolution(inputs, 2 * inputs, 16, (16 >> i) ** 2)),
  convolution(512, 1, 16, 1),
];
const conv1dLayers = times(4, convolution(64, 64, 9, 16384));

function trainingFlops(layers: readonly number[], batchSize: number): number {
  const contractions = layers.reduce((sum, macs, index) => sum + macs * (index === 0 ? 2 : 3), 0);
  return 2 * batchSize * contractions;
}

/** The discriminator learns from two batches; the generator learns through it, which takes no gradient of its weights. */
function dcganFlops(batchSize: number): number {
  const passedThrough = discriminatorLayers.reduce((sum, macs) => sum + 2 * macs, 0);
  const learnt = trainingFlops(generatorLayers, batchSize) + 2 * trainingFlops(discriminatorLayers, batchSize);
  return learnt + 2 * batchSize * passedThrough;
}

/** A float32 matrix read and another one written. */
const readAndWritten = ({ size = 0 }: Sizes): number => 2 * 4 * size ** 2;

export const workloads: Readonly<Record<WorkloadName, WorkloadRow>> = {
  matmul: {
    summary: "C = A B, square float32 matrices",
    defaults: { size: 1024 },
    steps: 10,
    flopsPerStep: ({ size = 0 }) => 2 * size ** 3,
    peers: peerNames,
  },
  mlp: {
    summary: "one training step of 784-256-128-10, ReLU, cross-entropy, Adam 1e-3",
    defaults: { batchSize: 128 },
    steps: 50,
    flopsPerStep: ({ batchSize = 0 }) => trainingFlops(mlpLayers, batchSize),
    peers: peerNames,
  },
  lenet: {
    summary: "one training step of LeNet-5 on 28x28 images, sigmoids, average pooling, SGD 0.1",
    defaults: { batchSize: 64 },
    steps: 20,
    flopsPerStep: ({ batchSize = 0 }) => trainingFlops(lenetLayers, batchSize),
    peers: peerNames,
  },
  resnet18: {
    summary: "one training step of ResNet-18 on 32x32 images, cross-entropy, SGD 0.1 with momentum 0.9",
    defaults: { batchSize: 32 },
    steps: 5,
    flopsPerStep: ({ batchSize = 0 }) => trainingFlops(resnet18Layers, batchSize),
    peers: ["pytorch"],
  },
  dcgan: {
    summary: "one step of DCGAN's discriminator and one of its generator on 64x64 images, Adam 2e-4",
    defaults: { batchSize: 16 },
    steps: 5,
    flopsPerStep: ({ batchSize = 0 }) => dcganFlops(batchSize),
    peers: ["pytorch"],
  },
  conv1d: {
    summary: "one training step of two residual blocks on 64 x 16384 samples, kernels of 9, mean square, SGD 0.01",
    defaults: { batchSize: 16 },
    steps: 3,
    flopsPerStep: ({ batchSize = 0 }) => trainingFlops(conv1dLayers, batchSize),
    peers: ["pytorch"],
  },
  softmax: {
    summary: "softmax over the rows of a square float32 matrix",
    defaults: { size: 4096 },
    steps: 10,
    bytesPerStep: readAndWritten,
    peers: peerNames,
  },
  layernorm: {
    summary: "layer normalization with weight and bias over the rows of a square float32 matrix",
    defaults: { size: 4096 },
    steps: 10,
    bytesPerStep: readAndWritten,
    peers: peerNames,
  },
  elementwise: {
    summary: "|relu(1.5 x + 0.25) - 0.5| x of a square float32 matrix",
    defaults: { size: 4096 },
    steps: 10,
    bytesPerStep: readAndWritten,
    peers: peerNames,
  },
};

/** A size was asked for that the workload does not have. */
export class UnknownSizeError extends Error {
  override readonly name = "UnknownSizeError";
  constructor(workload: WorkloadName, size: SizeName, value: number) {
    const flag = { size: "--size", batchSize: "--batch-size" };
    const known = (Object.keys(workloads[workload].defaults) as SizeName[]).map((name) => flag[name]).join(" and ");
    super(`The workload "${workload}" has no ${flag[size]} (${value} was given). Use ${known} to scale it.`);
  }
}

/** The workload's sizes with what the user asked for put over the defaults. Throws {@link UnknownSizeError}. */
export function resolveSizes(workload: WorkloadName, asked: Sizes): Sizes {
  const resolved: Partial<Record<SizeName, number>> = { ...workloads[workload].defaults };
  for (const [name, value] of Object.entries(asked) as [SizeName, number | undefined][]) {
    if (value === undefined) continue;
    if (!(name in resolved)) throw new UnknownSizeError(workload, name, value);
    resolved[name] = value;
  }
  return resolved;
}
