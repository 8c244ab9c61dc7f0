// What surrounds gradients: leaves and what requires a gradient, accumulation, graphs that are walked twice, grad(),
// modes. That the gradients themselves are right is the matter of test/ops.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);

const leaf = (...values: readonly number[]): gd.Tensor => gd.tensor(values).requiresGrad_();

describe("requiresGrad", () => {
  test("results of leaves that require a gradient do too, others do not", () => {
    const x = leaf(1, 2);
    const y = gd.tensor([3, 4]);
    expect([x.requiresGrad, x.isLeaf]).toEqual([true, true]);
    expect([x.mul(y).requiresGrad, x.mul(y).isLeaf]).toEqual([true, false]);
    expect([y.mul(2).requiresGrad, y.mul(2).isLeaf]).toEqual([false, true]);
    expect(x.lt(y).requiresGrad).toBe(false);
    expect(x.int().requiresGrad).toBe(false);
    expect(x.argmax().requiresGrad).toBe(false);
  });

  test("creation functions take it as an option", () => {
    for (const x of [
      gd.tensor([1], { requiresGrad: true }),
      gd.zeros([2], { requiresGrad: true }),
      gd.randn([2], { requiresGrad: true }),
      gd.linspace(0, 1, 3, { requiresGrad: true }),
    ])
      expect([x.requiresGrad, x.isLeaf]).toEqual([true, true]);
    expect(gd.tensor(gd.ones([2]), { requiresGrad: true }).requiresGrad).toBe(true);
  });

  test("integers and bools can have no gradient", () => {
    expect(() => gd.arange(3).requiresGrad_()).toThrow(/int32.*float32/s);
    expect(() => gd.tensor([true], { requiresGrad: true })).toThrow(gd.GradusError);
  });

  test("a computed value can be made a leaf; its gradient ends there", async () => {
    const x = gd.tensor([1, 2]);
    const y = x.mul(3).requiresGrad_();
    expect(y.isLeaf).toBe(true);
    y.square().sum().backward();
    expect(await y.grad!.toArray()).toEqual([6, 12]);
    expect(x.grad).toBeNull();
  });

  test("two leaves made of one value have gradients of their own", async () => {
    const x = gd.tensor([1, 2]);
    const [a, b] = [x.mul(3).requiresGrad_(), x.mul(3).requiresGrad_()];
    a.mul(2).add(b.mul(5)).sum().backward();
    expect(await a.grad!.toArray()).toEqual([2, 2]);
    expect(await b.grad!.toArray()).toEqual([5, 5]);
  });

  test("it can be turned off for a leaf only", () => {
    const x = leaf(1, 2);
    const y = x.mul(2);
    expect(() => y.requiresGrad_(false)).toThrow(/leaf.*detach/s);
    expect(x.requiresGrad_(false).requiresGrad).toBe(false);
    expect(x.mul(2).requiresGrad).toBe(false);
  });

  test("a parameter can be frozen and thawed, keeping its value and its place among what is pending", async () => {
    const w = new gd.Parameter(gd.tensor([1, 2]));
    gd.noGrad(() => w.add_(1));
    w.requiresGrad_(false);
    expect(w.mul(2).requiresGrad).toBe(false);
    expect(await w.toArray()).toEqual([2, 3]);
    w.requiresGrad_();
    w.mul(4).sum().backward();
    expect(await w.grad!.toArray()).toEqual([4, 4]);
    expect(await w.toArray()).toEqual([2, 3]);
    w.requiresGrad_(false);
    // A frozen parameter is like any tensor: it may change while gradients are recorded.
    w.mul_(10);
    expect(await w.toArray()).toEqual([20, 30]);
    expect(new gd.Parameter(gd.ones([1]), false).requiresGrad).toBe(false);
  });

  test("a buffer's gradient passes from the value it was assigned only by way of that value", async () => {
    const x = leaf(1, 2);
    const buffer = gd.zeros([2]).asState();
    buffer.copy_(x.mul(3).detach());
    expect(buffer.mul(x).requiresGrad).toBe(true);
    buffer.mul(x).sum().backward();
    expect(await x.grad!.toArray()).toEqual([3, 6]);
  });
});

describe("backward", () => {
  test("gradients accumulate until they are cleared", async () => {
    const x = leaf(1, 2);
    x.mul(3).sum().backward();
    x.square().sum().backward();
    expect(await x.grad!.toArray()).toEqual([5, 7]);
    x.grad = null;
    x.mul(3).sum().backward();
    expect(await x.grad!.toArray()).toEqual([3, 3]);
  });

  test("a leaf that is used several times gets the sum", async () => {
    const x = leaf(2);
    x.mul(x).add(x).mul(x).sum().backward();
    expect(await x.grad!.toArray()).toEqual([16]);
  });

  test("a gradient may be given for a tensor of several elements", async () => {
    const x = leaf(1, 2);
    x.square().backward(gd.tensor([10, 100]));
    expect(await x.grad!.toArray()).toEqual([20, 400]);
    expect(() => x.square().backward()).toThrow(/backward.*single number.*\[2\]/s);
    expect(() => x.square().backward(gd.ones([3]))).toThrow(gd.ShapeError);
  });

  test("a tensor that requires no gradient cannot start it", () => {
    expect(() => gd.tensor([1]).sum().backward()).toThrow(gd.AutogradError);
    expect(() => leaf(1).detach().sum().backward()).toThrow(/backward.*gradient/);
  });

  test("intermediate tensors get a gradient where they ask for it", async () => {
    const x = leaf(1, 2);
    const hidden = x.mul(3).retainGrad();
    const other = x.mul(5);
    hidden.square().add(other).sum().backward();
    expect(await hidden.grad!.toArray()).toEqual([6, 12]);
    expect(other.grad).toBeNull();
    expect(await x.grad!.toArray()).toEqual([23, 41]);
  });

  test("a graph that was walked and computed is freed, unless it is retained", async () => {
    const x = leaf(1, 2);
    const once = x.square().sum();
    once.backward();
    await once.item();
    expect(() => once.backward()).toThrow(/retainGraph/);
    const kept = x.square().sum();
    x.grad = null;
    kept.backward(undefined, { retainGraph: true });
    await kept.item();
    kept.backward();
    expect(await x.grad!.toArray()).toEqual([4, 8]);
  });

  test("with createGraph the gradient can be differentiated", async () => {
    const x = leaf(2);
    x.pow(3).sum().backward(undefined, { createGraph: true });
    const first = x.grad!;
    expect(first.requiresGrad).toBe(true);
    x.grad = null;
    first.sum().backward();
    expect(await x.grad!.toArray()).toEqual([12]);
  });

  test("without it the gradient is a plain value", () => {
    const x = leaf(2);
    x.pow(3).sum().backward();
    expect(x.grad!.requiresGrad).toBe(false);
  });

  test("a gradient computed from a realized value is right", async () => {
    const x = leaf(1, 2);
    const hidden = x.mul(3).sin();
    await hidden.data();
    hidden.mul(2).sum().backward();
    const [a, b] = (await x.grad!.toArray()) as number[];
    expect(a).toBeCloseTo(6 * Math.cos(3), 5);
    expect(b).toBeCloseTo(6 * Math.cos(6), 5);
  });

  test("gradients are of their leaf's dtype", async () => {
    const x = leaf(1, 2);
    const y = gd.tensor([3, 4], { dtype: "float64" }).requiresGrad_();
    x.mul(y).sum().backward();
    expect([x.grad!.dtype, y.grad!.dtype]).toEqual(["float32", "float64"]);
    expect(await x.grad!.toArray()).toEqual([3, 4]);
  });
});

describe("grad", () => {
  test("it gives gradients without touching .grad", async () => {
    const [x, y] = [leaf(1, 2), leaf(3, 4)];
    const [gx, gy] = gd.grad(x.mul(y).sum(), [x, y]);
    expect(await gx.toArray()).toEqual([3, 4]);
    expect(await gy.toArray()).toEqual([1, 2]);
    expect([x.grad, y.grad]).toEqual([null, null]);
  });

  test("it reaches intermediate tensors", async () => {
    const x = leaf(1, 2);
    const hidden = x.mul(3);
    const [g] = gd.grad(hidden.square().sum(), hidden);
    expect(await g.toArray()).toEqual([6, 12]);
  });

  test("several outputs add up, weighted by gradOutputs", async () => {
    const x = leaf(1, 2);
    const [g] = gd.grad([x.mul(2), x.square().sum()], x, { gradOutputs: [gd.tensor([1, 10]), undefined] });
    expect(await g.toArray()).toEqual([4, 24]);
  });

  test("an output may be its own input", async () => {
    const x = leaf(3);
    const [g] = gd.grad(x.sum(), x);
    expect(await g.toArray()).toEqual([1]);
  });

  test("an input that is not used is an error, or null where that is allowed", () => {
    const [x, y] = [leaf(1, 2), leaf(3, 4)];
    expect(() => gd.grad(x.sum(), [x, y])).toThrow(/input 1, of shape \[2\].*allowUnused/s);
    const [gx, gy] = gd.grad(x.sum(), [x, y], { allowUnused: true });
    expect(gd.isTensor(gx)).toBe(true);
    expect(gy).toBeNull();
    expect(() => gd.grad(x.sum(), gd.tensor([1]))).toThrow(gd.AutogradError);
  });

  test("a gradient penalty: the gradient of the norm of a gradient", async () => {
    // f = sum(w x^2): gradient 2 w x, squared norm 4 w^2 x^2 summed, its gradient by w is 8 w x^2.
    const [w, x] = [leaf(1, 2, 3), leaf(0.5, 1, 2)];
    const [gx] = gd.grad(w.mul(x.square()).sum(), x, { createGraph: true });
    gx.square().sum().backward();
    expect(await w.grad!.toArray()).toEqual([2, 16, 96]);
  });

  test("third derivatives", async () => {
    const x = leaf(2);
    const options = { createGraph: true };
    const [first] = gd.grad(x.pow(4).sum(), x, options);
    const [second] = gd.grad(first.sum(), x, options);
    const [third] = gd.grad(second.sum(), x);
    expect(await third.toArray()).toEqual([48]);
  });
});

describe("modes", () => {
  test("within noGrad nothing is recorded, and enableGrad turns it on inside", () => {
    const x = leaf(1, 2);
    gd.noGrad(() => {
      expect(gd.isGradEnabled()).toBe(false);
      expect(x.mul(2).requiresGrad).toBe(false);
      expect(x.requiresGrad).toBe(true);
      expect(gd.enableGrad(() => x.mul(2)).requiresGrad).toBe(true);
      expect(gd.isGradEnabled()).toBe(false);
    });
    expect(gd.isGradEnabled()).toBe(true);
    expect(x.mul(2).requiresGrad).toBe(true);
  });

  test("the mode comes back after an error and after an async body", async () => {
    expect(() =>
      gd.noGrad(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(gd.isGradEnabled()).toBe(true);
    const value = await gd.noGrad(async () => {
      const y = leaf(1, 2).mul(2);
      await y.data();
      return y.requiresGrad;
    });
    expect(value).toBe(false);
    expect(gd.isGradEnabled()).toBe(true);
    await expect(gd.noGrad(() => Promise.reject(new Error("late")))).rejects.toThrow("late");
    expect(gd.isGradEnabled()).toBe(true);
  });

  test("what noGrad computes is a constant of later gradients", async () => {
    const x = leaf(2, 3);
    const constant = gd.noGrad(() => x.square());
    x.mul(constant).sum().backward();
    expect(await x.grad!.toArray()).toEqual([4, 9]);
  });

  test("detach shares the value and ends the gradient", async () => {
    const x = leaf(2, 3);
    x.mul(x.detach()).sum().backward();
    expect(await x.grad!.toArray()).toEqual([2, 3]);
    expect(x.detach().requiresGrad).toBe(false);
  });
});
