// The running statistics of batch normalization for weights that were never trained with them, such as averages
// (`torch.optim.swa_utils.update_bn`).

import { type AnyModule, BatchNorm1d, BatchNorm2d, BatchNorm3d, type Module } from "../nn/index.ts";
import { flush, isTensor, noGrad, type Tensor } from "../tensor/index.ts";

/** Batches of inputs; of those that are lists the first tensor is the input. */
export type Batches = AsyncIterable<Tensor | readonly Tensor[]> | Iterable<Tensor | readonly Tensor[]>;
type BatchNorm = BatchNorm1d | BatchNorm2d | BatchNorm3d;

const isBatchNorm = (module: AnyModule): module is BatchNorm & AnyModule =>
  [BatchNorm1d, BatchNorm2d, BatchNorm3d].some((kind) => module instanceof kind);

/**
 * Computes the running mean and variance of every batch normalization anew, as the mean over all batches of one pass through
 * the data, in training mode and without gradients. Without such layers nothing is done.
 * @param loader batches; of those that are lists the first tensor is the input
 *
 * @example
 * averaged.applyTo(model);
 * await optim.updateBn(loader, model);
 */
export async function updateBn(loader: Batches, model: Module<[Tensor], unknown>): Promise<void> {
  const modules = model.modules();
  const layers = modules.filter(isBatchNorm).filter(({ runningMean }) => runningMean !== undefined);
  if (layers.length === 0) return;
  const modes = modules.map((module) => [module, module.training] as const);
  const momenta = layers.map((layer) => [layer as { momentum: number | null }, layer.momentum] as const);
  model.train();
  try {
    for (const layer of layers) {
      layer.runningMean!.zero_();
      layer.runningVar!.fill_(1);
      layer.numBatchesTracked!.zero_();
    }
    // The mean over all batches.
    for (const [layer] of momenta) layer.momentum = null;
    for await (const batch of loader) {
      noGrad(() => model.forward(isTensor(batch) ? batch : batch[0]));
      await flush();
    }
  } finally {
    for (const [layer, momentum] of momenta) layer.momentum = momentum;
    for (const [module, mode] of modes) module.training = mode;
  }
}
