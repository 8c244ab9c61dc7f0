// Grids of images, and the PNG files they go to.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as gd from "gradus";
import { loadImage, saveImage } from "gradus/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

let folder = "";
beforeAll(async () => {
  await useDevice();
  folder = await mkdtemp(join(tmpdir(), "gradus-pictures-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("imageGrid", () => {
  test("puts images side by side, cuts off what lies beyond its range, and leaves a gap of one pixel", async () => {
    const images = gd.tensor([-1, 0, 1, 3, 0.5, -5]).reshape([6, 1, 1, 1]);
    const grid = await gd.train.imageGrid(images, { columns: 3, range: [-1, 1] });
    expect([grid.width, grid.height, grid.channels]).toEqual([5, 3, 1]);
    expect(Array.from(grid.data)).toEqual([0, 0, 128, 0, 255, 0, 0, 0, 0, 0, 255, 0, 191, 0, 0]);
  });

  test("interleaves the channels of coloured images", async () => {
    const image = gd.tensor([0, 1, 0.2, 0.4, 0.6, 0.8]).reshape([1, 3, 1, 2]);
    const { data, channels } = await gd.train.imageGrid(image);
    expect(channels).toBe(3);
    expect(Array.from(data)).toEqual([0, 51, 153, 255, 102, 204]);
  });

  test("refuses what is no batch of images", async () => {
    await expect(gd.train.imageGrid(gd.zeros([2, 2, 4, 4]))).rejects.toThrow(gd.ShapeError);
    await expect(gd.train.imageGrid(gd.zeros([0, 1, 4, 4]))).rejects.toThrow(gd.ShapeError);
    await expect(gd.train.imageGrid(gd.zeros([1, 4, 4]))).rejects.toThrow(/\[N, 1 or 3, H, W\]/);
  });
});

describe("a PNG file", () => {
  test("gives back the picture that was saved", async () => {
    const image = { width: 3, height: 2, channels: 1 as const, data: Uint8Array.from([0, 50, 100, 150, 200, 255]) };
    await saveImage(join(folder, "a.png"), image);
    expect(await loadImage(join(folder, "a.png"))).toEqual(image);
  });

  test("that is damaged is an error that names it", async () => {
    await writeFile(join(folder, "b.png"), Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10, 0, 0]));
    await expect(loadImage(join(folder, "b.png"))).rejects.toThrow(/b\.png/);
  });
});
