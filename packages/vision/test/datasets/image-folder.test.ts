// Images from folders: which are found and in which order, their values, and what is said about those that do not fit.

import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as gd from "gradus";
import sharp from "sharp";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DatasetError, toTensor } from "../../src/index.ts";
import { ImageFolder, readImage } from "../../src/node.ts";

beforeAll(() => gd.init({ threads: 1 }));

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "gradus-folder-"));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

/** Bytes [height, width, channels] that hang on a number. */
const pixels = (salt: number, height = 4, width = 6, channels = 3): Uint8Array =>
  Uint8Array.from({ length: height * width * channels }, (_, i) => (i * 37 + salt * 59) & 0xff);

type Channels = 1 | 2 | 3 | 4;

async function draw(path: string, salt: number, height = 4, width = 6, channels: Channels = 3): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  const image = sharp(pixels(salt, height, width, channels), { raw: { width, height, channels } });
  const gray = channels < 3 ? image.toColourspace("b-w") : image;
  await (path.toLowerCase().endsWith("png")
    ? gray.png()
    : gray.jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
  ).toFile(join(root, path));
}

/** Values [C, H, W] of bytes [H, W, C]. */
const planes = (bytes: Uint8Array, channels = 3): number[] =>
  Array.from({ length: channels }, (_, channel) =>
    Array.from({ length: bytes.length / channels }, (_, pixel) => Math.fround(bytes[pixel * channels + channel] / 255)),
  ).flat();

describe("a folder of images", () => {
  it("is a dataset with a class for each folder, in order of their names and paths", async () => {
    await draw("zebra/b.png", 1);
    await draw("zebra/a.PNG", 2);
    await draw("ant/deep/er/c.jpg", 3);
    await draw("ant/z.jpeg", 4);
    await draw("Bee/x.png", 5);
    await writeFile(join(root, "ant", "notes.txt"), "no image");
    await writeFile(join(root, "list.csv"), "no class");
    const folder = await ImageFolder.load(root);
    expect(folder.classes).toEqual(["Bee", "ant", "zebra"]);
    expect(folder.classToIndex.get("zebra")).toBe(2);
    expect(folder.samples.map(({ path, label }) => [path.slice(root.length + 1), label])).toEqual([
      ["Bee/x.png", 0],
      ["ant/deep/er/c.jpg", 1],
      ["ant/z.jpeg", 1],
      ["zebra/a.PNG", 2],
      ["zebra/b.png", 2],
    ]);
    expect([folder.length, ...folder.imageShape]).toEqual([5, 3, 4, 6]);
    const [images, labels] = await folder.getBatch([4, 0]);
    expect(images.shape).toEqual([2, 3, 4, 6]);
    expect([...images.data]).toEqual([...planes(pixels(1)), ...planes(pixels(5))]);
    expect(labels.data).toEqual(Int32Array.of(2, 0));
  });

  it("is batched by a loader, with and without its fast path", async () => {
    for (let i = 0; i < 5; i++) await draw(`class${i % 2}/${i}.png`, i);
    const folder = await ImageFolder.load(root, { normalization: { mean: [0.1, 0.2, 0.3], std: [1, 2, 4] } });
    const slow = { length: folder.length, get: (index: number) => folder.get(index) };
    const read = async (dataset: gd.data.Dataset<gd.data.HostArray[]>): Promise<number[]> => {
      const found: number[] = [];
      for await (const [images, labels] of new gd.data.DataLoader(dataset, { batchSize: 2, prefetch: 1 })) {
        expect(images.shape.slice(1)).toEqual([3, 4, 6]);
        found.push(...(await images.data()), ...(await labels.data()));
      }
      return found;
    };
    const values = await read(folder);
    expect(await read(slow)).toEqual(values);
    expect(values[24]).toBeCloseTo((pixels(0)[1] / 255 - 0.2) / 2, 6);
  });

  it("follows links, but not in circles", async () => {
    await draw("real/a.png", 1);
    await symlink(join(root, "real"), join(root, "linked"));
    await symlink(root, join(root, "real", "up"));
    const folder = await ImageFolder.load(root);
    expect(folder.classes).toEqual(["linked", "real"]);
    expect(folder.samples.filter(({ path }) => path === join(root, "linked", "a.png"))).toHaveLength(1);
    expect(folder.length).toBeLessThan(10);
  });

  it("brings images to one size: cut off at both sides, or squeezed", async () => {
    const wide = new Uint8Array(10 * 30 * 3);
    // Three squares, of which the middle one is white.
    for (let y = 0; y < 10; y++) wide.fill(255, (y * 30 + 10) * 3, (y * 30 + 20) * 3);
    await mkdir(join(root, "a"));
    await sharp(wide, { raw: { width: 30, height: 10, channels: 3 } })
      .png()
      .toFile(join(root, "a", "wide.png"));
    await draw("a/zz.png", 7, 9, 9);
    const cover = await ImageFolder.load(root, { size: 5 });
    expect(cover.imageShape).toEqual([3, 5, 5]);
    expect((await cover.getBatch([0, 1]))[0].shape).toEqual([2, 3, 5, 5]);
    const [covered] = await cover.get(0);
    // What is left is the white square; its edges are blurred.
    expect(covered.data[12]).toBeCloseTo(1, 2);
    expect(Math.min(...covered.data)).toBeGreaterThan(0.5);
    const fill = await ImageFolder.load(root, { size: [4, 9], fit: "fill" });
    const [filled] = await fill.get(0);
    expect(filled.shape).toEqual([3, 4, 9]);
    expect([filled.data[0], filled.data[4], filled.data[8]].map(Math.round)).toEqual([0, 1, 0]);
  });

  it("is refused where there are no classes, no images, or no folder", async () => {
    await expect(ImageFolder.load(join(root, "none"))).rejects.toThrow(/none: it cannot be read \(ENOENT\)/);
    await expect(ImageFolder.load(root)).rejects.toThrow(/has no folders, of which each would be a class/);
    await draw("a/1.png", 1);
    await mkdir(join(root, "b"));
    await expect(ImageFolder.load(root)).rejects.toThrow(/the class b has no image that ends in \.png, \.jpg/);
    await expect(ImageFolder.load(root)).rejects.toThrow(DatasetError);
  });

  it("names the image that has another size, or is none", async () => {
    await draw("a/1.png", 1);
    await draw("a/2.png", 1, 5, 6);
    await writeFile(join(root, "a", "3.png"), "no image");
    const folder = await ImageFolder.load(root);
    await expect(folder.getBatch([0, 1])).rejects.toThrow(
      /2\.png: it has 5x6 pixels, the first image 4x6\. Pass a size/,
    );
    await expect(folder.get(2)).rejects.toThrow(/3\.png: it cannot be read as an image \(.*\)\. Make sure/);
    await expect(folder.get(3)).rejects.toThrow(/no image 3 among 3/);
  });

  it.each([
    [{ size: 0 }, /\[0\] is no size/],
    [{ size: [3, 4, 5] as never }, /\[3, 4, 5\] is no size/],
    [{ fit: "contain" as never }, /"contain" is no way to fit/],
    [{ channels: 4 as never }, /4 channels cannot be read/],
    [{ normalization: { mean: [0, 0], std: 1 } }, /2 values of mean/],
  ])("refuses the options %j", async (options, message) => {
    await draw("a/1.png", 1);
    await expect(ImageFolder.load(root, options)).rejects.toThrow(message);
  });
});

describe("an image file", () => {
  it("is read as bytes for toTensor, whatever kind of PNG it is", async () => {
    await draw("rgb.png", 3);
    await draw("alpha.png", 3, 4, 6, 4);
    await draw("gray.png", 3, 4, 6, 1);
    const rgb = await readImage(join(root, "rgb.png"));
    expect([rgb.shape, rgb.data]).toEqual([[4, 6, 3], pixels(3)]);
    expect([...(await toTensor(rgb).data())]).toEqual(planes(pixels(3)));
    const alpha = await readImage(join(root, "alpha.png"));
    expect(alpha.data).toEqual(pixels(3, 4, 6, 4).filter((_, i) => i % 4 < 3));
    const gray = await readImage(join(root, "gray.png"), { channels: 1 });
    expect([gray.shape, gray.data]).toEqual([[4, 6, 1], pixels(3, 4, 6, 1)]);
    expect((await readImage(join(root, "gray.png"))).data).toEqual(
      Uint8Array.from({ length: 72 }, (_, i) => pixels(3, 4, 6, 1)[Math.floor(i / 3)]),
    );
  });

  it("becomes gray as Pillow makes it", async () => {
    // Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 200, 77]]], "uint8")).convert("L")
    const colours = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 200, 77);
    await sharp(colours, { raw: { width: 4, height: 1, channels: 3 } })
      .png()
      .toFile(join(root, "x.png"));
    expect([...(await readImage(join(root, "x.png"), { channels: 1 })).data]).toEqual([76, 150, 29, 129]);
  });

  it("in JPEG is read up to what its compression loses", async () => {
    const smooth = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => 40 + (i % 3) * 60 + Math.floor(i / 48) * 4);
    await sharp(smooth, { raw: { width: 16, height: 16, channels: 3 } })
      .jpeg({ quality: 95 })
      .toFile(join(root, "x.jpg"));
    const { data, shape } = await readImage(join(root, "x.jpg"));
    expect(shape).toEqual([16, 16, 3]);
    expect(Math.max(...data.map((value, i) => Math.abs(value - smooth[i])))).toBeLessThan(8);
  });

  it("that is missing is named", async () => {
    await expect(readImage(join(root, "none.png"))).rejects.toThrow(/none\.png: it cannot be read as an image/);
  });
});
