// A folder of images as a dataset: `root/class/image.jpg`, a folder for each class. Images are read when they are asked for,
// so that a dataset may be larger than the memory. For Node only. After `torchvision.datasets.ImageFolder`.

import { readdir, realpath, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { ArgumentError, type data } from "gradus";
import { DatasetError } from "./errors.ts";
import { LEVELS, NOT_NORMALIZED, type Normalization, normalizedLevels } from "./image-dataset.ts";
import { checkReadOptions, type ReadImageOptions, readImage } from "./read-image.ts";

const EXTENSIONS: ReadonlySet<string> = new Set([".png", ".jpg", ".jpeg", ".webp"]);

/** Options of `ImageFolder.load`. */
export interface ImageFolderOptions extends ReadImageOptions {
  /** By default values stay from 0 to 1. */
  readonly normalization?: Normalization;
}

/** An image of a folder: where it lies, and the number of its class. */
export interface ImageFolderSample {
  /** The image's file. */
  readonly path: string;
  /** Its place among the names of the classes. */
  readonly label: number;
}

/**
 * Images from a folder with a folder for each class (`torchvision.datasets.ImageFolder`), for `data.DataLoader`: batches are
 * float32 [N, C, H, W] and int32 [N]. Reading takes time: `prefetch` of the loader has it done while a step is computed.
 *
 * @example
 * const flowers = await ImageFolder.load("flowers", { size: 64 });
 * const loader = new data.DataLoader(flowers, { batchSize: 32, shuffle: true, prefetch: 2 });
 */
export class ImageFolder implements data.Dataset<data.HostArray[]> {
  readonly length: number;
  private readonly levels: Float32Array;

  private constructor(
    /** The names of the folders, in order: a label is a place in it. */
    readonly classes: readonly string[],
    /** All images, class by class and in order of their paths. */
    readonly samples: readonly ImageFolderSample[],
    /** [C, H, W] */
    readonly imageShape: readonly [number, number, number],
    private readonly options: ImageFolderOptions,
  ) {
    this.length = samples.length;
    this.levels = normalizedLevels("ImageFolder", options.normalization ?? NOT_NORMALIZED, imageShape[0]);
  }

  /**
   * Finds the images of a folder: PNG, JPEG and WebP, in the folders of the classes and below.
   *
   * @throws DatasetError if there are no classes, or one has no image; ArgumentError for options that are none
   */
  static async load(root: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
    checkReadOptions("ImageFolder", options);
    const classes = await classesOf(root);
    const samples: ImageFolderSample[] = [];
    for (const [label, name] of classes.entries()) {
      const paths = await imagesBelow(join(root, name), new Set());
      if (paths.length === 0) {
        const problem = `the class ${name} has no image that ends in ${[...EXTENSIONS].join(", ")}`;
        throw new DatasetError(join(root, name), "", problem, "Put images into it, or take the folder away.");
      }
      for (const path of paths) samples.push({ path, label });
    }
    // One image tells the size of all where none is given.
    const { size, channels = 3 } = options;
    const [height, width = height] = size === undefined ? (await readImage(samples[0].path)).shape : [size].flat();
    return new ImageFolder(classes, samples, [channels, height, width], options);
  }

  /** The label of each class by its name. */
  get classToIndex(): ReadonlyMap<string, number> {
    return new Map(this.classes.map((name, label) => [name, label]));
  }

  async get(index: number): Promise<data.HostArray[]> {
    const [images, labels] = await this.getBatch([index]);
    return [
      { ...images, shape: images.shape.slice(1) },
      { ...labels, shape: [] },
    ];
  }

  /** @throws DatasetError if an image cannot be read, or has another size than the first where none was given */
  async getBatch(indices: ArrayLike<number>): Promise<data.HostArray[]> {
    const [channels, height, width] = this.imageShape;
    const size = channels * height * width;
    const values = new Float32Array(indices.length * size);
    const read = async (index: number, place: number): Promise<number> => {
      const sample = this.samples[index];
      if (sample === undefined) {
        throw new ArgumentError("ImageFolder", `there is no image ${index} among ${this.length}`);
      }
      this.place(await this.decode(sample.path), values.subarray(place * size, (place + 1) * size));
      return sample.label;
    };
    const labels = Int32Array.from(await Promise.all(Array.from(indices, read)));
    return [
      { data: values, shape: [indices.length, channels, height, width] },
      { data: labels, shape: [indices.length] },
    ];
  }

  private async decode(path: string): Promise<Uint8Array> {
    const [, height, width] = this.imageShape;
    const { data, shape } = await readImage(path, this.options);
    if (shape[0] === height && shape[1] === width) return data;
    const problem = `it has ${shape[0]}x${shape[1]} pixels, the first image ${height}x${width}`;
    throw new DatasetError(path, "", problem, "Pass a size, such as { size: 64 }, that all are brought to.");
  }

  /** Bytes [H, W, C] to values [C, H, W]. */
  private place(bytes: Uint8Array, values: Float32Array): void {
    const [channels, height, width] = this.imageShape;
    const plane = height * width;
    for (let channel = 0; channel < channels; channel++) {
      for (let pixel = 0; pixel < plane; pixel++) {
        values[channel * plane + pixel] = this.levels[channel * LEVELS + bytes[pixel * channels + channel]];
      }
    }
  }
}

/** The folders in a folder, in order of their names. */
async function classesOf(root: string): Promise<readonly string[]> {
  const entries = await readdir(root).catch((cause: NodeJS.ErrnoException) => {
    throw new DatasetError(root, "", `it cannot be read (${cause.code})`, "Give a folder that is there.", { cause });
  });
  const folders: string[] = [];
  for (const entry of entries.sort()) {
    if ((await stat(join(root, entry)).catch(() => null))?.isDirectory()) folders.push(entry);
  }
  if (folders.length === 0) {
    throw new DatasetError(
      root,
      "",
      "it has no folders, of which each would be a class",
      "Give the folder above them.",
    );
  }
  return folders;
}

/** The images of a folder and all below, in order of their paths. Links are followed, but never in circles. */
async function imagesBelow(folder: string, above: ReadonlySet<string>): Promise<string[]> {
  const real = await realpath(folder);
  if (above.has(real)) return [];
  const visited = new Set([...above, real]);
  const images: string[] = [];
  for (const entry of (await readdir(folder)).sort()) {
    const path = join(folder, entry);
    const found = await stat(path).catch(() => null);
    if (found?.isDirectory()) images.push(...(await imagesBelow(path, visited)));
    else if (found?.isFile() && EXTENSIONS.has(extname(entry).toLowerCase())) images.push(path);
  }
  return images;
}
