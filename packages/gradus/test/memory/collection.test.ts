// Nobody frees tensors: a loop that drops what it makes stays within bounded memory on every platform.

import * as gd from "gradus";
import { beforeAll, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

const mebibyte = 2 ** 20;
const steps = 300;
const stepBytes = 8 * mebibyte;
// A collection is asked for from 96 MiB on; where it has to be provoked, it may be late by one or two askings.
const allowedBytes = 384 * mebibyte;

beforeAll(useDevice);

test("a loop that makes and drops 8 MiB in each of 300 steps keeps its live bytes bounded", async () => {
  let most = 0;
  for (let step = 0; step < steps; step++) {
    const made = gd.full([stepBytes / 4], 1).add(gd.scalar(step));
    await gd.flush(made);
    most = Math.max(most, gd.memory().liveBytes);
  }
  expect(most).toBeGreaterThanOrEqual(stepBytes);
  expect(most).toBeLessThan(allowedBytes);
});
