// `data`: datasets and how batches are made of them, after `torch.utils.data`.

export { type Batch, defaultCollate, type Stackable } from "./collate.ts";
export {
  ConcatDataset,
  type Dataset,
  type HostArray,
  type RandomSplitOptions,
  randomSplit,
  Subset,
  TensorDataset,
} from "./dataset.ts";
export { DataLoader, type LoaderOptions, type LoaderState } from "./loader.ts";
export {
  RandomSampler,
  type RandomSamplerOptions,
  type Sampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from "./sampler.ts";
