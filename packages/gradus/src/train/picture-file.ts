// Pictures in PNG files. Node only; leans on png.ts for the format and on io/atomic-file.ts for the writing.

import { readFile } from "node:fs/promises";
import { decode } from "fast-png";
import { writeFileAtomic } from "../io/atomic-file.ts";
import { FileFormatError } from "../io/errors.ts";
import { encodePng, type PlainImage } from "./png.ts";

/**
 * Writes a picture as a PNG file, wholly or not at all (`torchvision.utils.save_image`).
 *
 * ```ts
 * await saveImage("grid.png", await train.imageGrid(generator.forward(latent), { range: [-1, 1] }));
 * ```
 *
 * @param path the file; its directory must exist
 * @throws AtomicWriteError if the system refuses
 */
export async function saveImage(path: string, image: PlainImage): Promise<void> {
  await writeFileAtomic(path, encodePng(image));
}

/**
 * Reads a PNG file of 8 bits a sample, gray or coloured and without opacity, as `saveImage` writes it.
 * @throws FileFormatError for any other file
 */
export async function loadImage(path: string): Promise<PlainImage> {
  const bytes = await readFile(path);
  try {
    const { width, height, channels, depth, data } = decode(bytes, { checkCrc: true });
    if (depth === 8 && (channels === 1 || channels === 3))
      return { width, height, channels, data: Uint8Array.from(data) };
    throw new Error(`it has ${channels} channels of ${depth} bits`);
  } catch (cause) {
    const remedy = "Give a PNG file of 8 bits, gray or coloured.";
    throw new FileFormatError(path, "the picture", (cause as Error).message, remedy);
  }
}
