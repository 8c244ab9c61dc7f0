// Compares layers with golden data: output, gradients, second derivatives, running statistics.

import * as gd from "gradus";
import { expect, test } from "vitest";
import { construct, expectTensor, type GoldenRun, type LayerCase, tensorOf, titleOf } from "./nn-golden.ts";

/** A test for each case, which is what `layer_case` of tools/golden.py writes. */
export function testLayers(cases: readonly LayerCase[]): void {
  test.each(cases.map((layer, i) => [`${i} ${titleOf(layer.type, layer.args)}`, layer] as const))(
    "%s",
    async (_title, layerCase) => {
      const layer = construct<gd.nn.Module>(gd.nn, layerCase.type, layerCase.args);
      const state = Object.entries(layerCase.state).map(([key, value]) => [key, tensorOf(value)] as const);
      if (!layer.modules().some((module) => module.hasUninitializedParams())) {
        expect([...layer.stateDict().keys()]).toEqual(Object.keys(layerCase.state));
      }
      layer.loadStateDict(new Map(state));
      await compare(layer, layerCase, layerCase.train);
      for (const [key, value] of Object.entries(layerCase.stateAfter ?? {})) {
        await expectTensor(layer.stateDict().get(key)!, value, key);
      }
      if (layerCase.eval) await compare(layer.eval(), layerCase, layerCase.eval);
    },
  );
}

async function compare(
  layer: gd.nn.Module,
  { input, seed, secondSeed }: LayerCase,
  expected: GoldenRun,
): Promise<void> {
  const x = tensorOf(input, true);
  layer.zeroGrad();
  const output = layer.forward(x);
  output
    .mul(tensorOf(seed))
    .sum()
    .backward(undefined, { createGraph: expected.second !== undefined });
  await gd.flush(output);
  const parameters = new Map(layer.namedParameters());
  const names = Object.keys(expected.gradients);
  expect([...parameters.keys()].sort()).toEqual([...names].sort());
  const gradients = names.map((name) => parameters.get(name)!.grad!);
  await expectTensor(output, expected.output, "output");
  await expectTensor(x.grad!, expected.inputGradient, "gradient of the input");
  for (const [i, name] of names.entries()) {
    await expectTensor(gradients[i], expected.gradients[name], `gradient of ${name}`);
  }
  if (expected.second === undefined) return;
  const penalty = x.grad!.mul(tensorOf(secondSeed!)).sum();
  const wanted = [x, ...names.map((name) => parameters.get(name)!)];
  const found = penalty.requiresGrad ? gd.grad(penalty, wanted, { allowUnused: true }) : wanted.map(() => null);
  const second = [expected.second.input, ...names.map((name) => expected.second!.gradients[name])];
  for (const [i, gradient] of found.entries()) {
    const value = gradient ?? gd.zerosLike(wanted[i]);
    await expectTensor(value, second[i], `second derivative of ${["the input", ...names][i]}`);
  }
}
