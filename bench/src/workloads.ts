// The table of workloads: what one step is, how large it is by default, how much arithmetic it takes and which peers
// have the same work written out. To add a workload is to add a row here, a builder in gradus/workloads.ts and one in
// each peer that the row names.
//
// Arithmetic counts the multiply-adds of matrix products and convolutions as two operations each and nothing else, as
// is the custom (Williams, Waterman and Patterson, "Roofline", 2009). A training step does each contraction three
// times (output, gradient of the weights, gradient of the input), the first layer only twice: data wants no gradient.

export const peerNames = ["pytorch", "jax-js", "tfjs-wasm", "tfjs-cpu"] as const;
export type PeerName = (typeof peerNames)[number];

export const workloadNames = ["matmul", "mlp", "lenet"] as const;
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
  readonly flopsPerStep: (sizes: Sizes) => number;
  readonly peers: readonly PeerName[];
}

/** Multiply-adds per sample of each layer with weights, first layer first. */
const mlpLayers = [784 * 256, 256 * 128, 128 * 10];
const lenetLayers = [6 * 28 * 28 * 25, 16 * 10 * 10 * 6 * 25, 400 * 120, 120 * 84, 84 * 10];

function trainingFlops(layers: readonly number[], batchSize: number): number {
  const contractions = layers.reduce((sum, macs, index) => sum + macs * (index === 0 ? 2 : 3), 0);
  return 2 * batchSize * contractions;
}

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
