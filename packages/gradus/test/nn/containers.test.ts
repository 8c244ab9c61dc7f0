// Containers of modules and of parameters: their keys, their order, their changes; and the layers that change shapes.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/functional.json";
import { useDevice } from "../support/device.ts";
import { testLayers } from "../support/layers.ts";
import { type LayerCase, normal } from "../support/nn-golden.ts";

const { nn } = gd;
beforeAll(useDevice);

/** A layer that can be told from others by its size. */
const layer = (outputs: number): gd.nn.Linear => new nn.Linear(2, outputs, { bias: false });
const keysOf = (module: gd.nn.Module<never, unknown>): string[] => [...module.stateDict().keys()];
const sizesOf = (modules: Iterable<unknown>): number[] =>
  [...modules].map((module) => (module as gd.nn.Linear).outFeatures);

describe("Flatten, Unflatten and Identity agree with PyTorch, with negative and empty dimensions", () =>
  testLayers(golden.shapes as unknown as readonly LayerCase[]));

test("Flatten and Unflatten refuse what does not fit", () => {
  expect(() => new nn.Flatten(2, 1).forward(normal([2, 3, 4], 1))).toThrow(/starts at dimension 2, after its end 1/);
  expect(() => new nn.Flatten().forward(normal([2], 1))).toThrow(gd.ArgumentError);
  expect(() => new nn.Unflatten(1, [2, 4]).forward(normal([2, 6], 1))).toThrow(gd.ShapeError);
  expect(() => new nn.Unflatten(1, [-1, 4]).forward(normal([2, 6], 1))).toThrow(gd.ShapeError);
});

describe("ModuleList", () => {
  test("grows, moves on and shrinks, with the keys always 0, 1, 2, ...", () => {
    const list = new nn.ModuleList([layer(1), layer(2)]);
    list.append(layer(3)).extend([layer(4), layer(5)]);
    expect(sizesOf(list)).toEqual([1, 2, 3, 4, 5]);
    list.insert(1, layer(9)).insert(-1, layer(8)).insert(list.length, layer(7));
    expect(sizesOf(list)).toEqual([1, 9, 2, 3, 4, 8, 5, 7]);
    expect(list.pop()).toHaveProperty("outFeatures", 7);
    expect(list.pop(0)).toHaveProperty("outFeatures", 1);
    expect(sizesOf(list)).toEqual([9, 2, 3, 4, 8, 5]);
    expect(list.length).toBe(6);
    expect(keysOf(list)).toEqual([0, 1, 2, 3, 4, 5].map((i) => `${i}.weight`));
    expect(list.parameters()).toHaveLength(6);
  });

  test("gives and takes modules by position; negative ones count from the end", () => {
    const list = new nn.ModuleList([layer(1), layer(2), layer(3)]);
    expect(list[1]).toBe(list.at(1));
    expect(list.at(-1)).toBe(list[2]);
    expect(list[3]).toBeUndefined();
    list[1] = layer(7);
    list.set(-1, layer(8));
    expect(sizesOf(list)).toEqual([1, 7, 8]);
    expect(list.stateDict().get("1.weight")!.shape).toEqual([7, 2]);
    list.pop();
    expect(list[2]).toBeUndefined();
  });

  test("a slice is a list of the same modules, counted anew", () => {
    const list = new nn.ModuleList([layer(1), layer(2), layer(3), layer(4)]);
    const some = list.slice(1, -1);
    expect(sizesOf(some)).toEqual([2, 3]);
    expect(keysOf(some)).toEqual(["0.weight", "1.weight"]);
    expect(some[0]).toBe(list[1]);
    expect(list.slice().length).toBe(4);
    expect(list.slice(2, 2).length).toBe(0);
  });

  test("twelve modules stay in order", () => {
    const list = new nn.ModuleList(Array.from({ length: 12 }, (_, i) => layer(i + 1)));
    expect(sizesOf(list)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(keysOf(list).at(-1)).toBe("11.weight");
    expect(list.namedChildren().map(([name]) => name)).toEqual(Array.from({ length: 12 }, (_, i) => String(i)));
  });

  test("lists in lists, and modules that stand twice, are found", () => {
    const shared = layer(1);
    const nested = new nn.ModuleList<gd.nn.AnyModule>([new nn.ModuleList([shared, layer(2)]), shared]);
    expect(keysOf(nested)).toEqual(["0.0.weight", "0.1.weight", "1.weight"]);
    expect(nested.parameters()).toHaveLength(2);
    nested.eval();
    expect(shared.training).toBe(false);
    nested.to("float64");
    expect(shared.weight.dtype).toBe("float64");
  });

  test("positions that are not there, and what is no module, are refused", () => {
    const list = new nn.ModuleList([layer(1), layer(2)]);
    expect(() => list.at(2)).toThrow(/there is no 2 among 2\. Use -2 to 1/);
    expect(() => list.at(0.5)).toThrow(gd.ArgumentError);
    expect(() => list.set(-3, layer(1))).toThrow(gd.ArgumentError);
    expect(() => list.insert(3, layer(1))).toThrow(gd.ArgumentError);
    expect(() => new nn.ModuleList().pop()).toThrow(/It is empty/);
    expect(() => list.append((() => 1) as unknown as gd.nn.Linear)).toThrow(/is no module/);
    expect(() => (list as unknown as { forward(): void }).forward()).toThrow(/no forward/);
    expect(list.length).toBe(2);
  });
});

describe("Sequential", () => {
  test("takes names from an object, a Map or entries, in their order", () => {
    const pairs = [
      ["last", layer(1)],
      ["10", layer(2)],
      ["2", layer(3)],
      ["layer_norm", layer(4)],
      ["forward", layer(5)],
    ] as const;
    for (const named of [new Map(pairs), pairs]) {
      const net = new nn.Sequential(named);
      expect(keysOf(net)).toEqual(pairs.map(([name]) => `${name}.weight`));
      expect(net.get("layer_norm")).toBe(pairs[3][1]);
      expect(net.getSubmodule("forward")).toBe(pairs[4][1]);
    }
    expect(keysOf(new nn.Sequential({ body: layer(2), head: layer(1) }))).toEqual(["body.weight", "head.weight"]);
    expect(String(new nn.Sequential({ act: new nn.ReLU() }))).toBe("Sequential(\n  (act): ReLU()\n)");
  });

  test("runs its layers in order, also after changes", async () => {
    class Times extends nn.Module {
      constructor(readonly factor: number) {
        super();
      }
      forward(x: gd.Tensor): gd.Tensor {
        return x.mul(10).add(this.factor);
      }
    }
    const net = new nn.Sequential(new Times(1), new Times(2));
    const run = (): Promise<number> => net.forward(gd.tensor(0)).item();
    expect(await run()).toBe(12);
    net.append(new Times(3)).insert(0, new Times(4));
    expect(await run()).toBe(4123);
    net[1] = new Times(9);
    net.pop();
    expect(await run()).toBe(492);
    net.extend([new Times(5)]);
    expect(await run()).toBe(4925);
    expect(await net.slice(0, 2).forward(gd.tensor(0)).item()).toBe(49);
    expect(new nn.Sequential().forward(gd.ones([2])).shape).toEqual([2]);
  });

  test("a slice keeps the names, as in PyTorch, and can be added to", () => {
    const net = new nn.Sequential(layer(1), layer(2), layer(3));
    const tail = net.slice(1);
    expect(keysOf(tail)).toEqual(["1.weight", "2.weight"]);
    expect(tail[0]).toBe(net[1]);
    expect(keysOf(tail.append(layer(4)))).toEqual(["1.weight", "2.weight", "3.weight"]);
    expect(keysOf(net)).toEqual(["0.weight", "1.weight", "2.weight"]);
    const named = new nn.Sequential({ a: layer(1), b: layer(2) }).slice(0, 1);
    expect(keysOf(named)).toEqual(["a.weight"]);
  });

  test("a head is replaced by position, as in transfer learning", () => {
    const net = new nn.Sequential(layer(4), new nn.ReLU(), new nn.Linear(4, 10));
    net[2] = new nn.Linear(4, 3);
    expect(net.stateDict().get("2.weight")!.shape).toEqual([3, 4]);
    expect(net.forward(normal([5, 2], 1)).shape).toEqual([5, 3]);
  });

  test("names that cannot be, and lists that were not spread, are refused", () => {
    expect(() => new nn.Sequential({ "a.b": layer(1) })).toThrow(/"a\.b" cannot name a part/);
    expect(() => new nn.Sequential({ "": layer(1) })).toThrow(/"" cannot name a part/);
    const list = [layer(1)] as unknown as Map<string, gd.nn.Linear>;
    expect(() => new nn.Sequential(list)).toThrow(/Spread a list of layers/);
    expect(() => new nn.Sequential(undefined as unknown as gd.nn.Linear)).toThrow(/undefined is no module/);
    const named = new nn.Sequential({ a: layer(1), b: layer(2) });
    expect(() => named.get("c")).toThrow(/there is no "c"\. There are: a, b/);
    expect(() => named.insert(1, layer(3))).toThrow(/have the names a, b/);
    expect(named.pop(0)).toHaveProperty("outFeatures", 1);
    expect(keysOf(named)).toEqual(["b.weight"]);
  });

  test("fields of a subclass run after what it was given, and belong to it", () => {
    class Headed extends nn.Sequential {
      readonly head = new nn.Linear(3, 1);
    }
    const net = new Headed(new nn.Linear(2, 3));
    expect(keysOf(net)).toEqual(["0.weight", "0.bias", "head.weight", "head.bias"]);
    expect(net.forward(normal([4, 2], 1)).shape).toEqual([4, 1]);
  });
});

describe("ModuleDict", () => {
  test("is read and written like a Map, and keeps the order in which names came", () => {
    const dict = new nn.ModuleDict({ b: layer(1), a: layer(2) });
    dict.set("10", layer(3)).set("2", layer(4)).set("keys", layer(5)).set("conv_1", layer(6)).set("conv1", layer(7));
    expect([...dict.keys()]).toEqual(["b", "a", "10", "2", "keys", "conv_1", "conv1"]);
    expect(sizesOf(dict.values())).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(keysOf(dict)).toEqual([...dict.keys()].map((name) => `${name}.weight`));
    expect([...dict].map(([name]) => name)).toEqual([...dict.keys()]);
    dict.set("a", layer(9));
    expect(sizesOf(dict.values())).toEqual([1, 9, 3, 4, 5, 6, 7]);
    expect(dict.pop("b")).toHaveProperty("outFeatures", 1);
    expect([dict.has("b"), dict.has("a"), dict.length]).toEqual([false, true, 6]);
    expect([dict.delete("a"), dict.delete("a")]).toEqual([true, false]);
    dict.update(new nn.ModuleDict({ "2": layer(8), c: layer(1) }));
    expect(
      [...dict.entries()].map(([name, module]) => `${name}:${module instanceof nn.Linear && module.outFeatures}`),
    ).toEqual(["10:3", "2:8", "keys:5", "conv_1:6", "conv1:7", "c:1"]);
    dict.clear();
    expect([dict.length, keysOf(dict)]).toEqual([0, []]);
  });

  test("chooses a module by name, whose parameters learn", () => {
    class Net extends nn.Module {
      readonly heads = new nn.ModuleDict({ one: new nn.Linear(2, 1), two: new nn.Linear(2, 2) });
      forward(x: gd.Tensor): gd.Tensor {
        return this.heads.get("two").forward(x);
      }
    }
    const net = new Net();
    net
      .forward(normal([3, 2], 1))
      .sum()
      .backward();
    expect(keysOf(net)).toEqual(["heads.one.weight", "heads.one.bias", "heads.two.weight", "heads.two.bias"]);
    expect(net.parameters().map(({ grad }) => grad !== null)).toEqual([false, false, true, true]);
  });

  test("names that are not there, and what is no module, are refused", () => {
    const dict = new nn.ModuleDict({ a: layer(1) });
    expect(() => dict.get("b")).toThrow(/there is no "b"\. There are: a/);
    expect(() => dict.pop("b")).toThrow(gd.ArgumentError);
    expect(() => dict.set("a.b", layer(1))).toThrow(/"a\.b" cannot name/);
    expect(() => dict.set("c", 3 as unknown as gd.nn.Linear)).toThrow(/3 is no module/);
    expect(() => (dict as unknown as { forward(): void }).forward()).toThrow(/no forward/);
    expect([...dict.keys()]).toEqual(["a"]);
  });
});

describe("ParameterList", () => {
  test("has the keys 0, 1, ... and makes parameters of tensors", async () => {
    const given = new nn.Parameter(gd.ones([2]));
    const list = new nn.ParameterList([given, gd.full([3], 2)]);
    list.append(gd.zeros([])).extend([gd.ones([1])]);
    expect(keysOf(list)).toEqual(["0", "1", "2", "3"]);
    expect(list.length).toBe(4);
    expect(list[0]).toBe(given);
    expect(list.at(-3)).toBe(list[1]);
    expect([...list].every((parameter) => parameter instanceof nn.Parameter && parameter.requiresGrad)).toBe(true);
    list[1] = new nn.Parameter(gd.full([5], 7));
    expect(
      await list
        .set(-1, gd.full([1], 4))
        .at(3)
        .item(),
    ).toBe(4);
    expect(list.stateDict().get("1")!.shape).toEqual([5]);
    expect(
      list
        .slice(1, 3)
        .parameters()
        .map(({ shape }) => shape),
    ).toEqual([[5], []]);
    expect(String(list)).toBe("ParameterList((0): [2] float32, (1): [5] float32, (2): [] float32, (3): [1] float32)");
  });

  test("twelve parameters stay in order", () => {
    const list = new nn.ParameterList(Array.from({ length: 12 }, (_, i) => gd.ones([i + 1])));
    expect(list.parameters().map(({ shape }) => shape[0])).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  });

  test("its parameters belong to the model, learn, and change their dtype with it", async () => {
    class Polynomial extends nn.Module {
      readonly coefficients = new nn.ParameterList([1, 2, 3].map((value) => gd.full([], value)));
      forward(x: gd.Tensor): gd.Tensor {
        return [...this.coefficients].reduce((sum, c, i) => sum.add(x.pow(i).mul(c)), gd.zerosLike(x));
      }
    }
    const net = new Polynomial();
    expect(keysOf(net)).toEqual(["coefficients.0", "coefficients.1", "coefficients.2"]);
    const y = net.forward(gd.tensor(2));
    y.backward();
    expect(await y.item()).toBe(17);
    expect(await Promise.all(net.parameters().map(({ grad }) => grad!.item()))).toEqual([1, 2, 4]);
    net.to("float64");
    expect(net.coefficients[1].dtype).toBe("float64");
    expect(net.parameters()[2]).toBe(net.coefficients[2]);
    const other = new Polynomial();
    other.loadStateDict(new Map([...net.stateDict()].map(([key, value]) => [key, value.mul(2)])));
    expect(await other.coefficients.at(-1).item()).toBe(6);
  });

  test("what is no parameter, and positions that are not there, are refused", () => {
    const list = new nn.ParameterList([gd.ones([1])]);
    expect(() => list.append(3 as unknown as gd.Tensor)).toThrow(/3 is no parameter/);
    expect(() => list.at(1)).toThrow(/there is no 1 among 1/);
    expect(() => list.set(1, gd.ones([1]))).toThrow(gd.ArgumentError);
    expect(() => (list as unknown as { forward(): void }).forward()).toThrow(/ParameterList has no forward/);
  });
});

describe("ParameterDict", () => {
  test("is read and written like a Map, and keeps the order in which names came", () => {
    const dict = new nn.ParameterDict({ w: gd.ones([1]) });
    dict
      .set("10", gd.ones([2]))
      .set("2", gd.ones([3]))
      .set("grad", gd.ones([4]))
      .set("in_1", gd.ones([5]));
    dict.set("in1", gd.ones([6])).update([["get", gd.ones([7])]]);
    expect(keysOf(dict)).toEqual(["w", "10", "2", "grad", "in_1", "in1", "get"]);
    expect([...dict.values()].map(({ shape }) => shape[0])).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(dict.get("get")).toBe(dict.stateDict().get("get"));
    dict.set("2", gd.ones([9]));
    expect([...dict].map(([name, { shape }]) => `${name}:${shape}`)).toContain("2:9");
    expect(dict.pop("w").shape).toEqual([1]);
    expect([dict.has("w"), dict.length, dict.delete("10"), dict.delete("10")]).toEqual([false, 6, true, false]);
    expect(keysOf(dict)).toEqual(["2", "grad", "in_1", "in1", "get"]);
    dict.clear();
    expect([dict.length, dict.parameters()]).toEqual([0, []]);
  });

  test("changes its dtype, and refuses what is no name or parameter", () => {
    const dict = new nn.ParameterDict(new Map([["a", gd.ones([1])]]));
    dict.to("float64");
    expect(dict.get("a").dtype).toBe("float64");
    expect(() => dict.get("b")).toThrow(/there is no "b"\. There are: a/);
    expect(() => dict.set("a.b", gd.ones([1]))).toThrow(/cannot name/);
    expect(() => dict.set("c", null as unknown as gd.Tensor)).toThrow(/null is no parameter/);
    expect(keysOf(dict)).toEqual(["a"]);
  });
});
