// Datasets: something with a length from which samples can be had by index (`torch.utils.data.Dataset`), and those made
// of other data. Host arrays stay host arrays until a batch is made, so that a sample costs no tensor.

import {
  ArgumentError,
  type DType,
  defaultGenerator,
  type Generator,
  hostPermutation,
  type Tensor,
  type TypedArray,
} from "../tensor/index.ts";

/** Numbers on the host with a shape: what a tensor is made from. */
export interface HostArray {
  /** The elements, row-major. */
  readonly data: TypedArray;
  /** The extent of each dimension; `[]` for a single number. */
  readonly shape: readonly number[];
  /** Default: that of the array; Uint8Array is uint8. */
  readonly dtype?: DType;
}

/** Samples by index (`torch.utils.data.Dataset`): any object that has these members. */
export interface Dataset<Sample = unknown> {
  /** How many samples there are. */
  readonly length: number;
  /** One sample, at once or as a promise. */
  get(index: number): Sample | Promise<Sample>;
  /**
   * Many samples at once, already put together: the fast path of DataLoader. A dataset that has none leaves it out.
   */
  getBatch?(indices: Int32Array): HostArray[] | Promise<HostArray[]>;
}

/** Throws unless an index is one of a dataset's. */
export function checkIndex(dataset: string, index: number, length: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= length) {
    throw new ArgumentError(dataset, `there is no sample ${index} among ${length}`, `Use 0 to ${length - 1}.`);
  }
}

const rowSize = ({ shape }: HostArray): number => shape.slice(1).reduce((product, extent) => product * extent, 1);

/** The rows of an array at some indices, in one new array. */
export function gatherRows(source: HostArray, indices: ArrayLike<number>): HostArray {
  const { data, shape, dtype } = source;
  const size = rowSize(source);
  const result = new (data.constructor as new (length: number) => TypedArray)(indices.length * size);
  if (size === 1) for (let i = 0; i < indices.length; i++) result[i] = data[indices[i]];
  else {
    for (let i = 0; i < indices.length; i++) {
      const start = indices[i] * size;
      result.set(data.subarray(start, start + size) as Float32Array, i * size);
    }
  }
  return { data: result, shape: [indices.length, ...shape.slice(1)], dtype };
}

/**
 * Samples that are rows of arrays of one length (`torch.utils.data.TensorDataset`).
 *
 * @example
 * new data.TensorDataset({ data: images, shape: [60000, 1, 28, 28] }, { data: labels, shape: [60000] })
 */
export class TensorDataset implements Dataset<HostArray[]> {
  /** As they were given; the first dimension counts samples. */
  readonly arrays: readonly HostArray[];
  readonly length: number;

  /** @throws ArgumentError if there are no arrays or their lengths differ */
  constructor(...arrays: readonly HostArray[]) {
    if (arrays.length === 0) throw new ArgumentError("TensorDataset", "there are no arrays", "Pass one or more.");
    const [{ shape }] = arrays;
    for (const array of arrays) {
      const count = array.shape.reduce((product, extent) => product * extent, 1);
      if (array.shape.length === 0 || array.data.length !== count) {
        throw new ArgumentError(
          "TensorDataset",
          `an array of ${array.data.length} numbers has the shape [${array.shape.join(", ")}]`,
          "The shape, beginning with the number of samples, must hold all numbers.",
        );
      }
      if (array.shape[0] !== shape[0]) {
        throw new ArgumentError(
          "TensorDataset",
          `arrays of ${shape[0]} and of ${array.shape[0]} samples do not belong together`,
          "All must begin with the same number of samples.",
        );
      }
    }
    this.arrays = arrays;
    this.length = shape[0];
  }

  /** A dataset of tensors, whose values are read. */
  static async fromTensors(...tensors: readonly Tensor[]): Promise<TensorDataset> {
    const read = tensors.map(async ({ shape, dtype }, i) => ({ data: await tensors[i].data(), shape, dtype }));
    return new TensorDataset(...(await Promise.all(read)));
  }

  /** The rows at an index, without the dimension of samples. They are views: do not change them. */
  get(index: number): HostArray[] {
    checkIndex("TensorDataset", index, this.length);
    return this.arrays.map((array) => {
      const size = rowSize(array);
      const row = array.data.subarray(index * size, (index + 1) * size);
      return { data: row, shape: array.shape.slice(1), dtype: array.dtype };
    });
  }

  getBatch(indices: Int32Array): HostArray[] {
    return this.arrays.map((array) => gatherRows(array, indices));
  }
}

/** Some samples of a dataset, in the order of the indices (`torch.utils.data.Subset`). */
export class Subset<Sample> implements Dataset<Sample> {
  readonly getBatch?: (indices: Int32Array) => HostArray[] | Promise<HostArray[]>;

  /**
   * @param dataset where the samples are
   * @param indices which of them, in order; one may come more than once
   * @throws ArgumentError for an index that the dataset has not
   */
  constructor(
    readonly dataset: Dataset<Sample>,
    readonly indices: ArrayLike<number>,
  ) {
    for (let i = 0; i < indices.length; i++) checkIndex("Subset", indices[i], dataset.length);
    if (dataset.getBatch !== undefined) {
      this.getBatch = (positions) => dataset.getBatch!(positions.map((position) => indices[position]));
    }
  }

  get length(): number {
    return this.indices.length;
  }

  get(index: number): Sample | Promise<Sample> {
    checkIndex("Subset", index, this.length);
    return this.dataset.get(this.indices[index]);
  }
}

/** Datasets one after the other, as one (`torch.utils.data.ConcatDataset`). */
export class ConcatDataset<Sample> implements Dataset<Sample> {
  readonly length: number;
  /** Where each dataset ends. */
  private readonly ends: readonly number[];

  /**
   * @param datasets in the order in which their samples come
   * @throws ArgumentError if there are none
   */
  constructor(readonly datasets: readonly Dataset<Sample>[]) {
    if (datasets.length === 0) throw new ArgumentError("ConcatDataset", "there are no datasets", "Pass one or more.");
    let end = 0;
    this.ends = datasets.map(({ length }) => (end += length));
    this.length = end;
  }

  get(index: number): Sample | Promise<Sample> {
    checkIndex("ConcatDataset", index, this.length);
    const which = this.ends.findIndex((end) => index < end);
    return this.datasets[which].get(index - (which === 0 ? 0 : this.ends[which - 1]));
  }
}

/** Options of `randomSplit`. */
export interface RandomSplitOptions {
  /** Where the order comes from. Default: the generator that `gd.manualSeed` seeds. */
  readonly generator?: Generator;
}

/**
 * Divides a dataset at random into parts that do not overlap (`torch.utils.data.random_split`).
 * @param lengths numbers of samples that add up to all, or fractions that add up to 1
 */
export function randomSplit<Sample>(
  dataset: Dataset<Sample>,
  lengths: readonly number[],
  { generator = defaultGenerator }: RandomSplitOptions = {},
): Subset<Sample>[] {
  const counts = countsOf(dataset.length, lengths);
  const order = hostPermutation(dataset.length, generator);
  let start = 0;
  return counts.map((count) => {
    const part = new Subset(dataset, order.slice(start, start + count));
    start += count;
    return part;
  });
}

function countsOf(total: number, lengths: readonly number[]): number[] {
  const sum = lengths.reduce((a, b) => a + b, 0);
  const valid = lengths.length > 0 && lengths.every((length) => length >= 0);
  if (valid && sum === total && lengths.every((length) => Number.isInteger(length))) return [...lengths];
  if (!valid || Math.abs(sum - 1) > 1e-9) {
    throw new ArgumentError(
      "randomSplit",
      `lengths of ${lengths.join(", ")} do not divide ${total} samples`,
      "They must add up to the number of samples, or as fractions to 1.",
    );
  }
  // What rounding down leaves goes to the parts in turn, as in PyTorch.
  const counts = lengths.map((fraction) => Math.floor(total * fraction + 1e-9));
  const rest = total - counts.reduce((a, b) => a + b, 0);
  for (let i = 0; i < rest; i++) counts[i % counts.length]++;
  return counts;
}
