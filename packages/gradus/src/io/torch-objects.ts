// What a PyTorch pickle is about: storages, which are runs of bytes elsewhere in the archive, and tensors, which are strided
// views of them. They are checked when they are named and read when they are wanted.

import { type PickleCall, PickleContainer, PickleObject, type PickleValue } from "./pickle-values.ts";
import { byteSize, MOST_DIMENSIONS, type RawDtype, rawArrays } from "./raw.ts";

/** A class of storages, such as torch.FloatStorage. `dtype` is null where only bytes are known. */
export class StorageClass extends PickleObject {
  constructor(
    readonly what: string,
    readonly dtype: RawDtype | null,
  ) {
    super();
  }
}

/** An element type, such as torch.float32; of those that Gradus has no use for only the name is known. */
export class TorchDtype extends PickleObject {
  constructor(
    /** Such as "torch.float32". */
    readonly what: string,
    readonly dtype: RawDtype | null,
  ) {
    super();
  }
}

/** A storage of the archive. */
export class TorchStorage extends PickleObject {
  readonly what = "a storage";

  constructor(
    /** Its name within the archive. */
    readonly key: string,
    readonly dtype: RawDtype,
    /** How many bytes it has. */
    readonly byteLength: number,
  ) {
    super();
  }

  /** How many elements. */
  get length(): number {
    return Math.floor(this.byteLength / rawArrays[this.dtype].BYTES_PER_ELEMENT);
  }
}

/** A tensor of the archive: a view whose every element is within its storage. */
export class TorchTensor extends PickleObject {
  readonly what = "a tensor";

  constructor(
    readonly storage: TorchStorage,
    readonly dtype: RawDtype,
    /** All in elements. */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }
}

/**
 * A view, once it is known to be one.
 * @param dtype of the elements; by default the storage's
 */
export function tensorOf(
  site: PickleCall,
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  size: PickleValue | undefined,
  stride: PickleValue | undefined,
  dtype?: RawDtype,
): TorchTensor {
  if (!(storage instanceof TorchStorage)) site.fail("a tensor is made of something else than a storage");
  const start = countOf(offset) ?? site.fail("a tensor's offset is no whole number of 0 or more");
  const shape = countsOf(size) ?? site.fail("a tensor's sizes are no whole numbers of 0 or more");
  const strides = countsOf(stride) ?? site.fail("a tensor's strides are no whole numbers of 0 or more");
  if (shape.length !== strides.length || shape.length > MOST_DIMENSIONS) {
    site.fail(
      `a tensor has ${shape.length} sizes and ${strides.length} strides; both are up to ${MOST_DIMENSIONS} and as many`,
    );
  }
  site.spend(2 * shape.length);
  const kind = dtype ?? storage.dtype;
  const elements = byteSize(shape, 1);
  if (elements === undefined) site.fail(`a tensor of shape [${shape.join(", ")}] has more than 2^53 elements`);
  const last = start + shape.reduce((sum, length, axis) => sum + (length - 1) * strides[axis], 0);
  const held = Math.floor(storage.byteLength / rawArrays[kind].BYTES_PER_ELEMENT);
  // Each product that is not exact is far beyond any storage all the same.
  if (elements > 0 && !(last < held)) {
    site.fail(
      `a tensor of shape [${shape.join(", ")}] and strides [${strides.join(", ")}] from ${start} reaches element ${last} of ` +
        `a storage of ${held}`,
    );
  }
  return new TorchTensor(storage, kind, start, shape, strides);
}

/** A number that counts something, or undefined. */
export function countOf(value: PickleValue | undefined): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function countsOf(value: PickleValue | undefined): number[] | undefined {
  if (!(value instanceof PickleContainer) || (value.kind !== "tuple" && value.kind !== "list")) return undefined;
  // A long list would be no shape, and copying it again and again no work to do.
  if (value.items.length > MOST_DIMENSIONS + 1) return undefined;
  const counts = value.items.map(countOf);
  return counts.every((count) => count !== undefined) ? counts : undefined;
}
