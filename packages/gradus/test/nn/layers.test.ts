// Every layer against PyTorch: outputs, gradients of the input and of all parameters, running statistics.

import { beforeAll, describe } from "vitest";
import { useDevice } from "../support/device.ts";
import { testLayers } from "../support/layers.ts";
import { nnGolden } from "../support/nn-golden.ts";

beforeAll(useDevice);

describe("agrees with PyTorch in output and gradients", () => testLayers(nnGolden.layers));
