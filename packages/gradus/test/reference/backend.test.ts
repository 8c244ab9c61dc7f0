import { expect, test } from "vitest";
import { ReferenceBackend } from "../../src/backends/reference/backend.ts";
import { ArgumentError, leaf, type Node, node } from "../../src/graph/index.ts";

function affine() {
  const x = leaf("data", { requiresGrad: false }, { shape: [3], dtype: "float32" }) as unknown as Node;
  const factor = leaf("scalar", { value: 0 }, { shape: [], dtype: "float32" });
  const scaled = node("dot", [x, factor as unknown as Node], { spec: "i,->i" }) as unknown as Node;
  const rounded = node("cast", [scaled], {}, { shape: [3], dtype: "int32" }) as unknown as Node;
  return { inputs: [x], scalars: [factor], outputs: [scaled, rounded, x] };
}

test("a program runs with new inputs and scalars, and stores every output in its dtype", async () => {
  const backend = new ReferenceBackend();
  const program = backend.compile(affine());
  const x = backend.allocate(12);
  const outputs = [backend.allocate(12), backend.allocate(12), backend.allocate(12)];
  backend.write(x, new Float32Array([1.5, -2.5, 3.1]));
  backend.runSync(program, [x], [2], outputs);
  expect(backend.readSync(outputs[0], "float32", 3)).toEqual(new Float32Array([3, -5, 6.2]));
  expect(backend.readSync(outputs[1], "int32", 3)).toEqual(new Int32Array([3, -5, 6]));
  expect(backend.readSync(outputs[2], "float32", 3)).toEqual(new Float32Array([1.5, -2.5, 3.1]));
  await backend.run(program, [x], [-1], outputs);
  expect(backend.readSync(outputs[1], "int32", 3)).toEqual(new Int32Array([-1, 2, -3]));
});

test("what is read is a copy", () => {
  const backend = new ReferenceBackend();
  const buffer = backend.allocate(4);
  backend.write(buffer, new Int32Array([1, 42]).subarray(1));
  const before = backend.readSync(buffer, "int32", 1);
  backend.write(buffer, new Int32Array([7]));
  expect(before).toEqual(new Int32Array([42]));
});

test("live bytes count what is allocated and not freed", () => {
  const backend = new ReferenceBackend();
  const buffer = backend.allocate(100);
  backend.allocate(20);
  expect(backend.liveBytes).toBe(120);
  backend.free(buffer);
  backend.free(buffer);
  expect(backend.liveBytes).toBe(20);
  expect(() => backend.readSync(buffer, "uint8", 1)).toThrow(ArgumentError);
});

test("what does not fit is refused with the numbers in the message", () => {
  const backend = new ReferenceBackend();
  const buffer = backend.allocate(8);
  expect(() => backend.write(buffer, new Float32Array(3))).toThrow("12 bytes do not fit into a buffer of 8");
  expect(() => backend.runSync(backend.compile(affine()), [], [1], [])).toThrow(
    "0 inputs were given to a program of 1",
  );
});
