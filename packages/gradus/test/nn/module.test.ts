// Module: registration, paths, state dicts, modes, hooks, lazy layers, errors and printing.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import { normal } from "../support/nn-golden.ts";

const { nn } = gd;
beforeAll(useDevice);

class Block extends nn.Module {
  conv1 = new nn.Conv2d(2, 3, 3, { padding: 1 });
  bn1 = new nn.BatchNorm2d(3);
  forward(x: gd.Tensor): gd.Tensor {
    return this.bn1.forward(this.conv1.forward(x)).relu();
  }
}

class Net extends nn.Module {
  body = new nn.Sequential(new Block(), new nn.MaxPool2d(2), new nn.Flatten());
  scale = new nn.Parameter(gd.ones([1]));
  head = new nn.Linear(12, 5);
  notRegistered = [new nn.Linear(1, 1)];
  constant = gd.ones([2]);
  forward(x: gd.Tensor): gd.Tensor {
    return this.head.forward(this.body.forward(x)).mul(this.scale);
  }
}

const keys = [
  "scale",
  "body.0.conv1.weight",
  "body.0.conv1.bias",
  "body.0.bn1.weight",
  "body.0.bn1.bias",
  "body.0.bn1.running_mean",
  "body.0.bn1.running_var",
  "body.0.bn1.num_batches_tracked",
  "head.weight",
  "head.bias",
];

describe("what a module contains", () => {
  test("fields that are modules and parameters are registered under PyTorch's keys; arrays and plain tensors are not", () => {
    expect([...new Net().stateDict().keys()]).toEqual(keys);
    expect(new Net().namedParameters().map(([name]) => name)).toEqual(keys.filter((key) => !/running|num/.test(key)));
    expect(new Net().namedBuffers().map(([name]) => name)).toEqual(keys.filter((key) => /running|num/.test(key)));
    expect(new Net().namedChildren().map(([name]) => name)).toEqual(["body", "head"]);
    expect(new Net().namedModules().map(([name]) => name)).toEqual([
      "",
      "body",
      "body.0",
      "body.0.conv1",
      "body.0.bn1",
      "body.1",
      "body.2",
      "head",
    ]);
  });

  test("a field that is assigned anew replaces what was registered", () => {
    const net = new Net();
    net.head = new nn.Linear(12, 2);
    expect(net.stateDict().get("head.weight")!.shape).toEqual([2, 12]);
  });

  test("a module used twice has its parameters once, but both keys in the state dict", () => {
    const shared = new nn.Linear(2, 2);
    const net = new nn.Sequential(shared, new nn.ReLU(), shared);
    expect(net.parameters()).toHaveLength(2);
    expect([...net.stateDict().keys()]).toEqual(["0.weight", "0.bias", "2.weight", "2.bias"]);
  });

  test("a buffer is a field in camelCase under a key in snake_case, and may stay out of the state dict", () => {
    class Counter extends nn.Module {
      readonly seenSamples = this.registerBuffer("seen_samples", gd.zeros([]));
      readonly scratch = this.registerBuffer("scratch", gd.zeros([2]), { persistent: false });
      forward(x: gd.Tensor): gd.Tensor {
        this.seenSamples.add_(x.shape[0]);
        return x;
      }
    }
    const counter = new Counter();
    expect(counter.buffers()).toHaveLength(2);
    expect([...counter.stateDict().keys()]).toEqual(["seen_samples"]);
    expect(counter.seenSamples.isState).toBe(true);
  });

  test("containers give their modules by position and run them in order", () => {
    const first = new nn.Linear(2, 3);
    const named = new nn.Sequential({ first, act: new nn.Tanh() });
    expect([...named.stateDict().keys()]).toEqual(["first.weight", "first.bias"]);
    expect(named.at(0)).toBe(first);
    expect(named.at(-1)).toBeInstanceOf(nn.Tanh);
    const list = new nn.ModuleList([first, new nn.Linear(3, 4)]);
    expect(list[1].forward(list[0].forward(gd.ones([1, 2]))).shape).toEqual([1, 4]);
    expect([...list.stateDict().keys()]).toEqual(["0.weight", "0.bias", "1.weight", "1.bias"]);
    expect(() => (list as unknown as { forward(): void }).forward()).toThrow(/no forward/);
    expect(named.append(new nn.Linear(3, 1)).length).toBe(3);
    expect([...named.stateDict().keys()].at(-1)).toBe("2.bias");
  });
});

describe("state dicts", () => {
  test("carry one model's values into another", async () => {
    const [a, b] = [new Net(), new Net()];
    const x = normal([2, 2, 4, 4], 3);
    a.forward(x);
    const report = b.loadStateDict(a.stateDict());
    expect(report).toEqual({ missingKeys: [], unexpectedKeys: [] });
    // What waits to be computed may be rounded once less than what is read.
    expectClose(await b.eval().forward(x).data(), await a.eval().forward(x).data(), { rtol: 1e-6, atol: 1e-6 });
  });

  test("that do not fit are refused with all that is wrong, and nothing is changed", async () => {
    const net = new Net();
    const before = await net.head.bias!.data();
    const state = net.stateDict();
    state.delete("scale");
    state.set("head.weight", gd.ones([7, 12]));
    state.set("head.bias", gd.ones([5]));
    state.set("extra.weight", gd.ones([1]));
    let error: gd.nn.StateDictError | null = null;
    try {
      net.loadStateDict(state);
    } catch (caught) {
      error = caught as gd.nn.StateDictError;
    }
    expect(error).toBeInstanceOf(nn.StateDictError);
    expect(error!.message).toMatch(
      /Missing: scale\. Unexpected: extra\.weight\. .*head\.weight is \[5, 12\] here and \[7, 12\]/,
    );
    expect(await net.head.bias!.data()).toEqual(before);
    // A wrong shape is an error also where missing keys are not.
    expect(() => net.loadStateDict(state, { strict: false })).toThrow(/\[7, 12\]/);
    state.delete("head.weight");
    const report = net.loadStateDict(state, { strict: false });
    expect(report).toEqual({ missingKeys: ["scale", "head.weight"], unexpectedKeys: ["extra.weight"] });
    expect(Array.from(await net.head.bias!.data())).toEqual([1, 1, 1, 1, 1]);
  });

  test("give lazy layers their sizes", async () => {
    const source = new nn.Sequential(new nn.Conv2d(4, 6, 3, { groups: 2 }), new nn.Flatten(), new nn.Linear(24, 3));
    const lazy = new nn.Sequential(new nn.LazyConv2d(6, 3, { groups: 2 }), new nn.Flatten(), new nn.LazyLinear(3));
    expect(() => lazy.loadStateDict({ "0.weight": gd.ones([6, 2, 3, 3]) })).toThrow(/Missing: 2\.weight/);
    expect(() => lazy.parameters()).toThrow(/LazyConv2d/);
    lazy.loadStateDict(source.stateDict());
    const x = normal([2, 4, 4, 4], 5);
    expect(await lazy.forward(x).data()).toEqual(await source.forward(x).data());
  });
});

describe("modes, visits and conversions", () => {
  test("train and eval reach every module", () => {
    const net = new Net().eval();
    expect(net.modules().every((module) => !module.training)).toBe(true);
    expect(
      net
        .train()
        .modules()
        .every((module) => module.training),
    ).toBe(true);
  });

  test("a frozen module takes no gradients", () => {
    const net = new Net();
    net.body.requiresGrad_(false);
    net
      .forward(normal([2, 2, 4, 4], 3))
      .sum()
      .backward();
    expect(net.body.parameters().every((parameter) => parameter.grad === null)).toBe(true);
    expect(net.head.weight.grad).not.toBeNull();
    net.zeroGrad();
    expect(net.head.weight.grad).toBeNull();
  });

  test("apply visits children before their parent", () => {
    const seen: string[] = [];
    new Net().apply((module) => seen.push(module.typeName));
    expect(seen).toEqual(["Conv2d", "BatchNorm2d", "Block", "MaxPool2d", "Flatten", "Sequential", "Linear", "Net"]);
  });

  test("a model turned into float64 computes in float64, its counters aside", async () => {
    const net = new Net().eval();
    const x = normal([2, 2, 4, 4], 3);
    const single = await net.forward(x).data();
    net.to("float64");
    const double = net.forward(x.to("float64"));
    expect(double.dtype).toBe("float64");
    expect(net.stateDict().get("body.0.bn1.num_batches_tracked")!.dtype).toBe("int32");
    const values = await double.data();
    expectClose(values, single, { rtol: 1e-5, atol: 1e-6 });
  });
});

describe("hooks", () => {
  test("see and replace inputs and outputs until they are removed", async () => {
    const layer = new nn.ReLU();
    const seen: string[] = [];
    const before = layer.registerForwardPreHook((_module, [x]) => [x.neg()]);
    const after = layer.registerForwardHook((module, inputs, output) => {
      seen.push(`${module.typeName} ${inputs[0].shape.join()}`);
      return output.add(1);
    });
    const x = gd.tensor([-2, 3]);
    expect(Array.from(await layer.forward(x).data())).toEqual([3, 1]);
    expect(seen).toEqual(["ReLU 2"]);
    before.remove();
    after.remove();
    expect(Array.from(await layer.forward(x).data())).toEqual([0, 3]);
    expect(seen).toHaveLength(1);
  });

  test("run once where a subclass calls its parent's forward", () => {
    class Louder extends nn.Linear {
      override forward(x: gd.Tensor): gd.Tensor {
        return super.forward(x).mul(2);
      }
    }
    const layer = new Louder(2, 2);
    let calls = 0;
    layer.registerForwardHook(() => {
      calls++;
    });
    layer.forward(gd.ones([1, 2]));
    expect(calls).toBe(1);
  });
});

describe("errors inside a layer", () => {
  const messageOf = (body: () => unknown): string => {
    try {
      body();
    } catch (error) {
      expect(error).toBeInstanceOf(gd.GradusError);
      return (error as Error).message;
    }
    return "";
  };

  test("name its path, both shapes and what to do", () => {
    const net = new Net();
    expect(messageOf(() => net.forward(gd.ones([2, 3, 4, 4])))).toMatch(
      /^body\.0\.conv1 \(Conv2d\): conv2d: the input has 3 channels, the weight expects 2 \(given \[2, 3, 4, 4\] and \[3, 2, 3, 3\]\)\. Make the layer/,
    );
    expect(messageOf(() => net.forward(gd.ones([2, 2, 8, 8])))).toMatch(
      /^head \(Linear\): linear: the input has 48 features, the weight expects 12 \(given \[2, 48\] and \[5, 12\]\)\. Make the layer as Linear\(48, 5\)/,
    );
    expect(messageOf(() => net.head.forward(gd.ones([2, 3])))).toMatch(/^Linear: linear: /);
    expect(messageOf(() => net.forward(gd.ones([2, 2, 4, 4], { dtype: "float64" })))).toMatch(
      /^body\.0\.conv1 \(Conv2d\): .*float64 and float32/,
    );
  });

  test("name the model itself for what it does between its layers", () => {
    class Odd extends nn.Module {
      layer = new nn.Linear(2, 3);
      forward(x: gd.Tensor): gd.Tensor {
        return this.layer.forward(x).add(gd.ones([2]));
      }
    }
    expect(messageOf(() => new Odd().forward(gd.ones([1, 2])))).toMatch(/^Odd: add: the shapes do not broadcast/);
  });

  test("tell batch normalization's own", () => {
    const layer = new nn.BatchNorm2d(3);
    expect(messageOf(() => layer.forward(gd.ones([2, 4, 2, 2])))).toMatch(/BatchNorm2d\(4\)/);
    expect(messageOf(() => new nn.BatchNorm1d(3).forward(gd.ones([1, 3])))).toMatch(/more than 1 value/);
  });
});

describe("lazy layers", () => {
  test("learn their sizes from the first input, then print as plain ones", () => {
    const net = new nn.Sequential(new nn.LazyConv2d(6, 5, { padding: 2 }), new nn.Flatten(), new nn.LazyLinear(10));
    expect(String(net[0])).toBe("LazyConv2d(0, 6, kernelSize=(5, 5), stride=(1, 1), padding=(2, 2))");
    expect(() => new gd.optim.SGD(net.parameters(), { lr: 0.1 })).toThrow(/0 \(LazyConv2d\) has no parameters/);
    expect(net.forward(gd.ones([2, 1, 4, 4])).shape).toEqual([2, 10]);
    expect(net.parameters().map(({ shape }) => shape)).toEqual([[6, 1, 5, 5], [6], [10, 96], [10]]);
    expect(String(net)).toBe(
      [
        "Sequential(",
        "  (0): Conv2d(1, 6, kernelSize=(5, 5), stride=(1, 1), padding=(2, 2))",
        "  (1): Flatten(startDim=1, endDim=-1)",
        "  (2): Linear(inFeatures=96, outFeatures=10, bias=true)",
        ")",
      ].join("\n"),
    );
  });
});

test("nothing runs while a model is made", () => {
  const before = gd.statistics().flushes;
  new Net().apply((module) => {
    if (module instanceof nn.Linear) nn.init.xavierUniform_(module.weight);
  });
  expect(gd.statistics().flushes).toBe(before);
});
