// Residual networks: shapes, torchvision's keys and numbers of parameters, initial weights, and that they learn.

import { BasicBlock, Bottleneck, ResNet, resnet18, resnet34, resnet50 } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";

const { nn, optim } = gd;

beforeAll(() => gd.init({ threads: 1 }));

const parametersOf = (model: gd.nn.Module): number =>
  model.parameters().reduce((sum, parameter) => sum + parameter.numel(), 0);
const keysOf = (model: gd.nn.Module): string[] => [...model.stateDict().keys()];
const normKeys = (name: string): string[] =>
  ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"].map((key) => `${name}.${key}`);

describe("residual networks", () => {
  // What reads values comes first: a flush gives every model that waits its initial weights, those of other tests as well.
  test("begin with Kaiming's normal distribution over what each input reaches, and plain norms", async () => {
    gd.manualSeed(3);
    const { layer2 } = new ResNet(BasicBlock, [1, 1, 1, 1]);
    const { conv1, bn1 } = layer2[0] as BasicBlock;
    const values = await conv1.weight.data();
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
    // 73,728 numbers: their deviation's standard error is a quarter of a percent.
    expect(deviation / Math.sqrt(2 / (128 * 9))).toBeCloseTo(1, 1.5);
    expect(new Set(await bn1.weight!.data())).toEqual(new Set([1]));
    expect(new Set(await bn1.bias!.data())).toEqual(new Set([0]));
  });

  test.each([
    ["basic blocks", BasicBlock],
    ["bottlenecks", Bottleneck],
  ])("of %s learn: one step lowers the loss", async (_, Block) => {
    gd.manualSeed(11);
    const model = new ResNet(Block, [1, 1, 1, 1], { classes: 3, smallImages: true });
    const images = gd.randn([6, 3, 8, 8]);
    const classes = gd.tensor([0, 1, 2, 2, 1, 0], { dtype: "int32" });
    const criterion = new nn.CrossEntropyLoss();
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 });
    const losses: number[] = [];
    for (let step = 0; step < 2; step++) {
      optimizer.zeroGrad();
      const loss = criterion.forward(model.forward(images), classes);
      loss.backward();
      await optimizer.step();
      losses.push(await loss.item());
    }
    expect(losses[1]).toBeLessThan(losses[0]!);
  });

  test.each([
    ["basic blocks", BasicBlock, "bn2"],
    ["bottlenecks", Bottleneck, "bn3"],
  ] as const)("of %s begin every block as its shortcut where that is asked for", async (_, Block, last) => {
    const model = new ResNet(Block, [1, 2], { width: 4, zeroInitResidual: true, smallImages: true });
    const state = model.stateDict();
    for (const [key, tensor] of state) {
      if (!/^layer.*bn\d\.weight$/.test(key)) continue;
      expect(new Set(await tensor.data())).toEqual(new Set([key.includes(last) ? 0 : 1]));
    }
    const block = model.layer2[1];
    const x = gd.rand([2, 8 * Block.expansion, 5, 5]);
    expect(await block.forward(x).data()).toEqual(await x.data());
  });

  // for f in (resnet18, resnet34, resnet50): m = f(); print(sum(p.numel() for p in m.parameters()), len(m.state_dict()))
  test.each([
    ["resnet18", resnet18, 11_689_512, 122],
    ["resnet34", resnet34, 21_797_672, 218],
    ["resnet50", resnet50, 25_557_032, 320],
  ] as const)("%s has as many parameters and keys as torchvision's", (_, make, parameters, keys) => {
    const model = make();
    expect(parametersOf(model)).toBe(parameters);
    expect(keysOf(model)).toHaveLength(keys);
  });

  test("have torchvision's keys, in its order", () => {
    const block = (name: string, convolutions: number): string[] =>
      Array.from({ length: convolutions }, (_, i) => [
        `${name}.conv${i + 1}.weight`,
        ...normKeys(`${name}.bn${i + 1}`),
      ]).flat();
    const projection = (name: string): string[] => [`${name}.downsample.0.weight`, ...normKeys(`${name}.downsample.1`)];
    const basic = new ResNet(BasicBlock, [2, 1, 1, 1]);
    expect(keysOf(basic)).toEqual([
      ...["conv1.weight", ...normKeys("bn1")],
      ...[...block("layer1.0", 2), ...block("layer1.1", 2)],
      ...["layer2.0", "layer3.0", "layer4.0"].flatMap((name) => [...block(name, 2), ...projection(name)]),
      ...["fc.weight", "fc.bias"],
    ]);
    // The first stage keeps the size of the image, but a bottleneck's channels become four times as many.
    const bottleneck = new ResNet(Bottleneck, [1, 1, 1, 1]);
    expect(keysOf(bottleneck).filter((key) => key.startsWith("layer1"))).toEqual([
      ...block("layer1.0", 3),
      ...projection("layer1.0"),
    ]);
  });

  test("for small images keep them whole until the second stage", () => {
    const model = resnet18({ classes: 10, smallImages: true });
    expect(parametersOf(model)).toBe(11_173_962);
    expect(model.conv1.weight.shape).toEqual([64, 3, 3, 3]);
    expect(model.forward(gd.randn([2, 3, 32, 32])).shape).toEqual([2, 10]);
    const stem = model.bn1.forward(model.conv1.forward(gd.randn([2, 3, 32, 32])));
    expect(model.layer2.forward(model.layer1.forward(stem)).shape).toEqual([2, 128, 16, 16]);
  });

  test("take any number of stages, of any width", () => {
    const model = new ResNet(BasicBlock, [3, 3, 3], { classes: 10, smallImages: true, width: 16 });
    // Table 6 of the paper: 0.27 million parameters for 20 layers; its shortcuts have none, these have 2,816.
    expect(parametersOf(model)).toBe(272_474);
    expect(model.stages.map((stage) => stage.length)).toEqual([3, 3, 3]);
    expect(model.layer4).toBeUndefined();
    expect(model.forward(gd.randn([2, 3, 32, 32])).shape).toEqual([2, 10]);
    expect(model.features(gd.randn([2, 3, 32, 32])).shape).toEqual([2, 64]);
    const deep = new ResNet(Bottleneck, [1, 1, 1, 1, 2], { width: 4, classes: 5 });
    expect(keysOf(deep).filter((key) => key.endsWith(".0.conv1.weight"))).toEqual(
      [1, 2, 3, 4, 5].map((stage) => `layer${stage}.0.conv1.weight`),
    );
    expect(keysOf(deep).slice(-2)).toEqual(["fc.weight", "fc.bias"]);
    expect(deep.forward(gd.randn([2, 3, 64, 64])).shape).toEqual([2, 5]);
    expect(() => new ResNet(BasicBlock, [])).toThrow(/stages of \[\] blocks are none/);
    expect(() => new ResNet(BasicBlock, [2, 0])).toThrow(/stages of \[2, 0\] blocks/);
  });

  test("take other sizes, channels and classes", () => {
    const model = resnet50({ classes: 7, inChannels: 1 });
    expect(model.conv1.weight.shape).toEqual([64, 1, 7, 7]);
    expect(model.forward(gd.randn([2, 1, 64, 96])).shape).toEqual([2, 7]);
  });
});
