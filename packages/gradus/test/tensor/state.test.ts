// Laziness and state: nothing runs until a value is needed, a flush realizes all pending state in one program, what was
// computed from the old version of a parameter can be read until the next flush and raises StaleTensorError after, and
// a program learns to keep what is read after it.

import * as gd from "gradus";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { engine } from "../../src/tensor/engine.ts";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);

/** What the body added to the engine's counters. */
async function counted(body: () => Promise<unknown>): Promise<{ flushes: number; programsCompiled: number }> {
  const before = gd.statistics();
  await body();
  const after = gd.statistics();
  return {
    flushes: after.flushes - before.flushes,
    programsCompiled: after.programsCompiled - before.programsCompiled,
  };
}

async function parameter(values: readonly number[]): Promise<gd.Parameter> {
  const created = new gd.Parameter(gd.tensor([...values]));
  await gd.flush();
  return created;
}

describe("laziness", () => {
  test("operations run nothing, and a value is computed once", async () => {
    const x = gd.tensor([1, 2, 3]);
    let y = x;
    expect(
      await counted(async () => {
        y = x.mul(2).add(1).exp().log();
      }),
    ).toEqual({ flushes: 0, programsCompiled: 0 });
    const { flushes } = await counted(async () => {
      await y.data();
      await y.data();
      await y.toArray();
    });
    expect(flushes).toBe(1);
  });

  test("host data is read back without running anything", async () => {
    const x = gd.tensor([[1, 2.5]]);
    expect((await counted(() => x.data())).flushes).toBe(0);
    expect(await x.toArray()).toEqual([[1, 2.5]]);
  });

  test("the same operation on the same inputs is one node, until a flush", async () => {
    const x = gd.tensor([1, 2, 3]);
    const y = gd.tensor([4, 5, 6]);
    const first = x.add(y).sin();
    expect(x.add(y).sin().node).toBe(first.node);
    expect(y.add(x).sin().node).not.toBe(first.node);
    expect(x.add(y).cos().node).not.toBe(first.node);
    await first.data();
    expect(x.add(y).sin().node).not.toBe(first.node);
  });

  test("numbers that differ only in sign of zero or in dtype are different constants", () => {
    const x = gd.tensor([1, 2]);
    expect(x.mul(0).node).not.toBe(x.mul(-0).node);
    expect(gd.ones([2]).node).not.toBe(gd.ones([2], { dtype: "float64" }).node);
  });

  test("several tensors are computed in one program", async () => {
    const x = gd.tensor([1, 2, 3]);
    const [a, b] = [x.mul(3), x.mul(5).sum()];
    expect((await counted(() => gd.flush(a, b))).flushes).toBe(1);
    expect((await counted(async () => [await a.data(), await b.item()])).flushes).toBe(0);
    expect(await b.item()).toBe(30);
  });

  test("two concurrent reads of one tensor agree", async () => {
    const x = gd.tensor([1, 2, 3]).mul(7);
    const [a, b] = await Promise.all([x.data(), x.data()]);
    expect([...a]).toEqual([7, 14, 21]);
    expect([...b]).toEqual([...a]);
  });

  test("what data() gives is a copy", async () => {
    const x = gd.tensor([1, 2]);
    const y = x.mul(1.5);
    for (const tensor of [x, y]) {
      const before = await tensor.toArray();
      (await tensor.data()).fill(99);
      expect(await tensor.toArray()).toEqual(before);
    }
  });

  test("a tensor copies the array it is made from", async () => {
    const source = Float32Array.of(1, 2);
    const x = gd.tensor(source);
    source.fill(9);
    expect(await x.toArray()).toEqual([1, 2]);
  });

  test("a program is compiled once for all data of one shape", async () => {
    const run = (offset: number) =>
      gd
        .tensor([offset, offset + 1])
        .square()
        .cumsum(0)
        .data();
    await run(1);
    const { flushes, programsCompiled } = await counted(async () => {
      for (let i = 2; i < 6; i++) expect([...(await run(i))]).toEqual([i * i, i * i + (i + 1) ** 2]);
    });
    expect(flushes).toBe(4);
    expect(programsCompiled).toBe(0);
  });

  test("a scalar may change from step to step without a new program", async () => {
    const x = gd.tensor([1, 2]);
    const run = async (rate: number) => [...(await x.mul(gd.scalar(rate)).add(1).data())];
    expect(await run(0.5)).toEqual([1.5, 2]);
    const { programsCompiled } = await counted(async () => {
      expect(await run(2)).toEqual([3, 5]);
      expect(await run(-1)).toEqual([0, -1]);
    });
    expect(programsCompiled).toBe(0);
  });
});

describe("state", () => {
  test("an assignment is pending until the next flush, which realizes all of it in one program", async () => {
    const a = await parameter([1, 2]);
    const b = await parameter([10]);
    gd.noGrad(() => {
      a.mul_(3);
      b.sub_(4);
    });
    expect(await counted(() => gd.flush())).toMatchObject({ flushes: 1 });
    expect((await counted(() => a.data())).flushes).toBe(0);
    expect(await a.toArray()).toEqual([3, 6]);
    expect(await b.toArray()).toEqual([6]);
  });

  test("reading anything is a flush of pending state", async () => {
    const a = await parameter([1, 2]);
    gd.noGrad(() => a.add_(1));
    await gd.tensor([5]).neg().data();
    expect((await counted(() => a.data())).flushes).toBe(0);
    expect(await a.toArray()).toEqual([2, 3]);
  });

  test("several assignments between two flushes build on each other", async () => {
    const a = await parameter([1, 2]);
    gd.noGrad(() => a.add_(1).mul_(10).sub_(3));
    expect(await a.toArray()).toEqual([17, 27]);
  });

  test("states that are assigned from each other swap", async () => {
    const a = gd.tensor([1, 2]).asState();
    const b = gd.tensor([30, 40]).asState();
    await gd.flush();
    const oldA = a.add(0);
    a.copy_(b);
    b.copy_(oldA);
    await gd.flush();
    expect(await a.toArray()).toEqual([30, 40]);
    expect(await b.toArray()).toEqual([1, 2]);
    const oldB = b.clone();
    b.copy_(a);
    a.copy_(oldB);
    await gd.flush();
    expect(await a.toArray()).toEqual([1, 2]);
    expect(await b.toArray()).toEqual([30, 40]);
  });

  test("states may be assigned one value, plain data, or each other's value", async () => {
    const [a, b, c] = [gd.zeros([2]).asState(), gd.zeros([2]).asState(), gd.zeros([2]).asState()];
    await gd.flush();
    const value = gd.tensor([1, 2]).mul(3);
    a.copy_(value);
    b.copy_(value);
    c.copy_(gd.tensor([7, 8]));
    await gd.flush(value);
    for (const tensor of [a, b, value]) expect(await tensor.toArray()).toEqual([3, 6]);
    expect(await c.toArray()).toEqual([7, 8]);
    a.copy_(c);
    c.add_(1);
    b.copy_(c);
    expect(await a.toArray()).toEqual([7, 8]);
    expect(await b.toArray()).toEqual([8, 9]);
    expect(await c.toArray()).toEqual([8, 9]);
  });

  test("a value taken before an assignment stays what it was, without aliasing", async () => {
    const a = await parameter([1, 2]);
    const before = a.mul(10);
    gd.noGrad(() => a.zero_());
    const after = a.mul(10);
    expect(await before.toArray()).toEqual([10, 20]);
    expect(await after.toArray()).toEqual([0, 0]);
  });

  test("what was computed from the old version can be read until the next flush", async () => {
    const a = await parameter([1, 2]);
    const out = a.mul(10).add(1);
    gd.noGrad(() => a.add_(100));
    await gd.flush();
    expect(await out.toArray()).toEqual([11, 21]);
    expect(await a.toArray()).toEqual([101, 102]);
  });

  test("two steps later it is gone, and reading it says what would have kept it", async () => {
    const a = await parameter([1, 2]);
    const out = a.mul(10).add(1);
    for (let step = 0; step < 2; step++) {
      gd.noGrad(() => a.add_(100));
      await gd.flush();
    }
    await expect(out.data()).rejects.toThrow(gd.StaleTensorError);
    await expect(out.data()).rejects.toThrow(/shape \[2\].*retain\(\)/s);
    // The engine is whole after the error.
    expect(await a.toArray()).toEqual([201, 202]);
  });

  test("an error of reading does not lose assignments that were pending", async () => {
    const a = await parameter([1, 2]);
    const out = a.mul(10).add(1);
    for (let step = 0; step < 2; step++) {
      gd.noGrad(() => a.add_(100));
      await gd.flush();
    }
    gd.noGrad(() => a.add_(1000));
    await expect(out.data()).rejects.toThrow(gd.StaleTensorError);
    await gd.flush();
    expect(await a.toArray()).toEqual([1201, 1202]);
    gd.noGrad(() => a.zero_());
    expect(await a.toArray()).toEqual([0, 0]);
  });

  test("an error of reading does not leave new parameters without their first value", async () => {
    const a = await parameter([1, 2]);
    const out = a.mul(10);
    for (let step = 0; step < 2; step++) {
      gd.noGrad(() => a.add_(100));
      await gd.flush();
    }
    const fresh = new gd.Parameter(gd.tensor([7, 8]));
    await expect(out.data()).rejects.toThrow(gd.StaleTensorError);
    expect(await fresh.toArray()).toEqual([7, 8]);
  });

  test("a retained value that became stale fails one flush, not every later one", async () => {
    const a = await parameter([1, 2]);
    const out = a.mul(10);
    for (let step = 0; step < 2; step++) {
      gd.noGrad(() => a.add_(100));
      await gd.flush();
    }
    out.retain();
    await expect(gd.flush()).rejects.toThrow(gd.StaleTensorError);
    gd.noGrad(() => a.add_(100));
    await gd.flush();
    expect(await a.toArray()).toEqual([301, 302]);
  });

  test("a run that fails leaves no wrong numbers behind", async () => {
    const a = await parameter([1, 2]);
    const out = a.mul(10);
    gd.noGrad(() => a.add_(100));
    const failure = vi.spyOn(engine.backend, engine.backend.canBlock ? "runSync" : "run");
    failure.mockImplementationOnce(() => {
      throw new gd.GradusError("the device is out of order");
    });
    await expect(out.data()).rejects.toThrow("out of order");
    failure.mockRestore();
    expect(await out.toArray()).toEqual([10, 20]);
    // The update that failed has not happened.
    expect(await a.toArray()).toEqual([1, 2]);
    gd.noGrad(() => a.add_(100));
    await gd.flush();
    expect(await a.toArray()).toEqual([101, 102]);
  });

  test("an old version that the overwriting flush itself needs is not overwritten", async () => {
    const a = await parameter([1, 2]);
    const out = a.mul(10);
    gd.noGrad(() => a.add_(100));
    await gd.flush();
    gd.noGrad(() => a.add_(100));
    await gd.flush(out);
    expect(await out.toArray()).toEqual([10, 20]);
    expect(await a.toArray()).toEqual([201, 202]);
    gd.noGrad(() => a.add_(100));
    await gd.flush();
    expect(await a.toArray()).toEqual([301, 302]);
  });

  test("retain() keeps a value over any number of steps", async () => {
    const a = await parameter([1, 2]);
    const out = a.mul(10).add(1).retain();
    for (let step = 0; step < 5; step++) {
      gd.noGrad(() => a.add_(100));
      await gd.flush();
    }
    expect((await counted(() => out.data())).flushes).toBe(0);
    expect(await out.toArray()).toEqual([11, 21]);
  });

  test("a value that was read stays readable", async () => {
    const a = await parameter([1, 2]);
    const out = a.mul(10);
    await out.data();
    for (let step = 0; step < 3; step++) {
      gd.noGrad(() => a.add_(100));
      await gd.flush();
    }
    expect(await out.toArray()).toEqual([10, 20]);
  });

  test("a value of a version between two flushes can be read after the flush", async () => {
    const a = await parameter([1, 2]);
    gd.noGrad(() => a.add_(1));
    const between = a.mul(10);
    gd.noGrad(() => a.add_(1));
    await gd.flush();
    expect(await between.toArray()).toEqual([20, 30]);
    expect(await a.toArray()).toEqual([3, 4]);
  });

  test("updates reuse two buffers: memory does not grow", async () => {
    const a = new gd.Parameter(gd.ones([64, 64]));
    const step = async () => {
      gd.noGrad(() => a.mul_(0.5).add_(1));
      await gd.flush();
    };
    for (let i = 0; i < 3; i++) await step();
    const before = gd.memory().liveBytes;
    for (let i = 0; i < 20; i++) await step();
    expect(gd.memory().liveBytes).toBeLessThanOrEqual(before);
    expect(await a.index(0, 0).item()).toBeCloseTo(2, 5);
  });

  test("a step of a loop is one program, compiled once", async () => {
    const w = new gd.Parameter(gd.tensor([[0.5, -0.5]]));
    const step = async (i: number) => {
      w.grad = null;
      const loss = gd
        .tensor([[i, 1]])
        .mul(w)
        .sum()
        .square();
      loss.backward();
      gd.noGrad(() => w.sub_(w.grad!.mul(0.01)));
      await gd.flush();
      return loss.item();
    };
    await step(0);
    await step(1);
    const { flushes, programsCompiled } = await counted(async () => {
      for (let i = 2; i < 8; i++) await step(i);
    });
    // The loss is computed along, so reading it runs nothing.
    expect(flushes).toBe(6);
    expect(programsCompiled).toBe(0);
  });
});

describe("learning", () => {
  test("what is read after a step is kept by it from the second time on", async () => {
    const w = await parameter([1, 2, 3]);
    const step = async (i: number) => {
      const out = w.mul(gd.tensor([i, i, i])).sin();
      gd.noGrad(() => w.sub_(out.detach()));
      await gd.flush();
      return { out, prediction: await out.argmax(0).item() };
    };
    expect((await counted(() => step(1))).flushes).toBe(2);
    await step(2);
    // `out` is there now: what is left to run after the step is the argmax of a value, for which a program exists.
    const { programsCompiled } = await counted(async () => {
      for (let i = 3; i < 6; i++) await step(i);
    });
    expect(programsCompiled).toBe(0);
    const { out } = await step(7);
    expect((await counted(() => out.data())).flushes).toBe(0);
  });

  test("a value read directly costs no second run once it is learned", async () => {
    const w = await parameter([1, 2, 3]);
    const step = async () => {
      const hidden = w.mul(3);
      gd.noGrad(() => w.copy_(hidden.tanh()));
      await gd.flush();
      return hidden.data();
    };
    expect((await counted(step)).flushes).toBe(2);
    await step();
    const { flushes, programsCompiled } = await counted(step);
    expect(flushes).toBe(1);
    expect(programsCompiled).toBe(0);
  });
});

describe("in place on ordinary tensors", () => {
  test("the handle takes a new value, and what was computed before keeps the old one", async () => {
    const x = gd.tensor([1, 2]);
    const y = x.mul(2);
    const view = x.reshape(2, 1);
    x.add_(1);
    expect(await x.toArray()).toEqual([2, 3]);
    expect(await y.toArray()).toEqual([2, 4]);
    expect(await view.toArray()).toEqual([[1], [2]]);
    expect(x.isState).toBe(false);
  });

  test("every in-place method does what its name says", async () => {
    const fresh = () => gd.tensor([1, -2, 3]);
    const results: [gd.Tensor, number[]][] = [
      [fresh().add_(1, { alpha: 2 }), [3, 0, 5]],
      [fresh().sub_(gd.tensor([1, 1, 1])), [0, -3, 2]],
      [fresh().mul_(2), [2, -4, 6]],
      [fresh().div_(2), [0.5, -1, 1.5]],
      [fresh().clamp_(-1, 2), [1, -1, 2]],
      [fresh().zero_(), [0, 0, 0]],
      [fresh().fill_(7), [7, 7, 7]],
      [fresh().copy_(gd.tensor([5])), [5, 5, 5]],
      [fresh().copy_(4), [4, 4, 4]],
      [fresh().maskedFill_(gd.tensor([true, false, true]), 9), [9, -2, 9]],
      [fresh().indexPut_(["1:"], gd.tensor([8, 6])), [1, 8, 6]],
    ];
    for (const [tensor, expected] of results) expect(await tensor.toArray()).toEqual(expected);
  });

  test("a result keeps the tensor's dtype and must have its shape", async () => {
    const x = gd.tensor([1, 2], { dtype: "int32" });
    x.add_(gd.tensor([0.75, -0.75]));
    expect(x.dtype).toBe("int32");
    expect(await x.toArray()).toEqual([1, 1]);
    expect(() => gd.tensor([1, 2]).add_(gd.ones([3, 2]))).toThrow(gd.ShapeError);
  });

  test("gradients pass through a change in place", async () => {
    const x = gd.tensor([1, 2]).requiresGrad_();
    const y = x.mul(3);
    y.mul_(y).add_(1);
    y.sum().backward();
    expect(await x.grad!.toArray()).toEqual([18, 36]);
  });

  test("a clone of a leaf can be changed in place, with a gradient towards the leaf", async () => {
    const x = gd.tensor([1, 2]).requiresGrad_();
    const y = x.clone().mul_(5);
    expect(y.isLeaf).toBe(false);
    y.sum().backward();
    expect(await x.grad!.toArray()).toEqual([5, 5]);
    expect(await x.toArray()).toEqual([1, 2]);
  });

  test("a leaf that requires a gradient is changed within noGrad only, and stays such a leaf", async () => {
    const w = gd.tensor([1, 2]).requiresGrad_();
    expect(() => w.add_(1)).toThrow(/noGrad/);
    for (let step = 0; step < 3; step++) {
      w.grad = null;
      w.square().sum().backward();
      gd.noGrad(() => w.sub_(w.grad!.mul(0.25)));
      expect(w.requiresGrad).toBe(true);
      expect(w.isLeaf).toBe(true);
    }
    expect(await w.toArray()).toEqual([0.125, 0.25]);
  });
});

test("bools are stored as 0 and 1, whatever they are made from", async () => {
  expect([...(await gd.tensor(Uint8Array.of(2, 0), { dtype: "bool" }).data())]).toEqual([1, 0]);
  expect([...(await gd.tensor(Float32Array.of(0.25, 0, Number.NaN), { dtype: "bool" }).data())]).toEqual([1, 0, 1]);
});
