// The one shape in which every loader of this package returns its data: bytes, not yet tensors.

/** Images with one class each. */
export interface LabeledImages {
  /** Bytes, row-major [count, channels, height, width]; of gray images 0 is background and 255 full ink. */
  readonly images: Uint8Array;
  /** The class of each image, [count]; an index into `classes`. */
  readonly labels: Uint8Array;
  /** How many images there are. */
  readonly count: number;
  /** 1 for gray (default), 3 for red, green and blue. */
  readonly channels?: number;
  /** Rows of pixels. */
  readonly height: number;
  /** Columns of pixels. */
  readonly width: number;
  /** The names of the classes. */
  readonly classes: readonly string[];
}

/** A dataset divided once and for all into what one trains on and what one tests on. */
export interface DatasetSplits {
  /** What one trains on. */
  readonly train: LabeledImages;
  /** What one tests on, and on nothing else. */
  readonly test: LabeledImages;
}
