// Nobody frees tensors: a loop that drops what it makes stays within bounded memory on every platform.

import * as gd from "gradus";
import { beforeAll, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

const mebibyte = 2 ** 20;

beforeAll(useDevice);

test("a loop of 300 steps that makes and drops 8 MiB in each keeps its live bytes bounded", async () => {
  let most = 0;
  const trace: number[] = [];
  for (let step = 0; step < 300; step++) {
    const made = gd.full([1024, 2048], step).add(gd.scalar(step));
    await gd.flush(made);
    most = Math.max(most, gd.memory().liveBytes);
    trace.push(Math.round(gd.memory().liveBytes / mebibyte));
  }
  console.log(most / mebibyte, trace.join(" "));
  expect(most).toBeLessThan(600 * mebibyte);
});
