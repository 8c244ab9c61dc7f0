// Every layer against PyTorch: outputs, gradients of the input and of all parameters, running statistics.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";
import {
  construct,
  expectTensor,
  type GoldenRun,
  type LayerCase,
  nnGolden,
  tensorOf,
  titleOf,
} from "../support/nn-golden.ts";

beforeAll(useDevice);

async function compare(layer: gd.nn.Module, { input, seed }: LayerCase, expected: GoldenRun): Promise<void> {
  const x = tensorOf(input, true);
  layer.zeroGrad();
  const output = layer.forward(x);
  output.mul(tensorOf(seed)).sum().backward();
  await gd.flush(output);
  await expectTensor(output, expected.output, "output");
  await expectTensor(x.grad!, expected.inputGradient, "gradient of the input");
  const parameters = new Map(layer.namedParameters());
  expect([...parameters.keys()].sort()).toEqual(Object.keys(expected.gradients).sort());
  for (const [name, gradient] of Object.entries(expected.gradients)) {
    await expectTensor(parameters.get(name)!.grad!, gradient, `gradient of ${name}`);
  }
}

describe("agrees with PyTorch in output and gradients", () => {
  test.each(nnGolden.layers.map((layer, i) => [`${i} ${titleOf(layer.type, layer.args)}`, layer] as const))(
    "%s",
    async (_title, layerCase) => {
      const layer = construct<gd.nn.Module>(gd.nn, layerCase.type, layerCase.args);
      const state = Object.entries(layerCase.state).map(([key, value]) => [key, tensorOf(value)] as const);
      expect([...layer.stateDict().keys()]).toEqual(Object.keys(layerCase.state));
      layer.loadStateDict(new Map(state));
      await compare(layer, layerCase, layerCase.train);
      for (const [key, value] of Object.entries(layerCase.stateAfter ?? {})) {
        await expectTensor(layer.stateDict().get(key)!, value, key);
      }
      if (layerCase.eval) await compare(layer.eval(), layerCase, layerCase.eval);
    },
  );
});
