import { describe, expect, it } from "vitest";
import { AssemblerError, type FunctionBuilder, ModuleBuilder } from "../../../src/backends/cpu/wasm/assembler.ts";
import { ByteWriter } from "../../../src/backends/cpu/wasm/byte-writer.ts";
import { detectFeatures } from "../../../src/backends/cpu/wasm/features.ts";
import { laneOpcodes, memoryLaneOpcodes, memoryOpcodes, plainOpcodes } from "../../../src/backends/cpu/wasm/opcodes.ts";
import { compile, instantiate, moduleOf, newMemory } from "./assemble.ts";

await detectFeatures();

const keys = <T extends object>(table: T) => Object.keys(table) as (keyof T)[];

/** After `unreachable` operands of any type may be taken, so one shape of body validates every instruction. */
function accepts(build: (f: FunctionBuilder) => void): boolean {
  const module = moduleOf(
    { params: [], results: [] },
    (f) => {
      f.op("unreachable");
      build(f);
      f.op("unreachable");
    },
    true,
  );
  return WebAssembly.validate(module.finish());
}

describe("the engine knows every instruction of the tables", () => {
  it("without immediates", () => {
    expect(keys(plainOpcodes).filter((name) => !accepts((f) => f.op(name)))).toEqual([]);
  });

  it("that accesses memory, with the natural alignment being the largest allowed", () => {
    const refused = keys(memoryOpcodes).filter((name) => {
      const [, alignLog2] = memoryOpcodes[name];
      return !accepts((f) => f.memory(name, 70_000)) || accepts((f) => f.memory(name, 0, alignLog2 + 1));
    });
    expect(refused).toEqual([]);
  });

  it("that names a lane, up to the last", () => {
    expect(keys(laneOpcodes).filter((name) => !accepts((f) => f.lane(name, laneOpcodes[name][1] - 1)))).toEqual([]);
  });

  it("that moves a lane from or to memory, up to the last", () => {
    const last = (name: keyof typeof memoryLaneOpcodes) => (16 >> memoryLaneOpcodes[name][1]) - 1;
    expect(keys(memoryLaneOpcodes).filter((name) => !accepts((f) => f.memoryLane(name, 8, last(name))))).toEqual([]);
  });

  it("and no two of them have the same code", () => {
    const codes = [
      ...Object.values(plainOpcodes),
      ...[memoryOpcodes, laneOpcodes, memoryLaneOpcodes].flatMap((table) => Object.values(table).map(([code]) => code)),
    ];
    expect(new Set(codes).size).toBe(codes.length);
  });
});

describe("constants", () => {
  it("keep every bit of an i32", () => {
    for (const value of [
      0,
      1,
      -1,
      63,
      64,
      -64,
      -65,
      127,
      128,
      8191,
      8192,
      2 ** 31 - 1,
      -(2 ** 31),
      2 ** 31,
      2 ** 32 - 1,
    ]) {
      expect(compile({ params: [], results: ["i32"] }, (f) => f.i32(value))()).toBe(value | 0);
    }
  });

  it("keep every bit of an i64", () => {
    for (const value of [0n, -1n, 63n, 64n, -64n, -65n, 2n ** 35n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n]) {
      expect(compile({ params: [], results: ["i64"] }, (f) => f.i64(value))()).toBe(BigInt.asIntN(64, value));
    }
  });

  it("keep every bit of a float, negative zero and NaN included", () => {
    for (const value of [0, -0, 0.1, -1e300, 5e-324, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(compile({ params: [], results: ["f64"] }, (f) => f.f64(value))()).toBe(value);
      expect(compile({ params: [], results: ["f32"] }, (f) => f.f32(value))()).toBe(Math.fround(value));
    }
    const bits = compile({ params: [], results: ["i32"] }, (f) => f.f32(-Number.NaN).op("i32.reinterpret_f32"));
    expect(bits()).toBe(0x7fc0_0000);
  });

  it("keep the bytes of a vector", () => {
    const memory = newMemory();
    const bytes = Uint8Array.from({ length: 16 }, (_, i) => i * 17 + 1);
    compile({ params: [], results: [] }, (f) => f.i32(32).v128(bytes).memory("v128.store", 5), memory)();
    expect(new Uint8Array(memory.buffer, 37, 16)).toEqual(bytes);
  });
});

describe("control flow", () => {
  it("loops back, leaves blocks and chooses", () => {
    // The number of steps of Collatz's sequence down to 1.
    const steps = compile({ params: ["i32"], results: ["i32"] }, (f) => {
      const count = f.local("i32");
      f.block().loop();
      f.get(0).i32(1).op("i32.le_u").brIf(1);
      f.get(0).i32(1).op("i32.and").if("i32");
      f.get(0).i32(3).op("i32.mul").i32(1).op("i32.add");
      f.else();
      f.get(0).i32(1).op("i32.shr_u");
      f.end().set(0);
      f.get(count).i32(1).op("i32.add").set(count).br(0);
      f.end().end().get(count);
    });
    expect(steps(27)).toBe(111);
    expect(steps(1)).toBe(0);
  });

  it("keeps locals of different types apart", () => {
    const f = compile({ params: ["f64", "i32"], results: ["f64"] }, (f) => {
      const [a, b, c, d] = [f.local("i32"), f.local("f64"), f.local("f64"), f.local("i64")];
      expect([a, b, c, d]).toEqual([2, 3, 4, 5]);
      f.get(1).i32(3).op("i32.mul").set(a);
      f.get(0).f64(0.5).op("f64.add").tee(b).set(c);
      f.get(a).op("i64.extend_i32_s").set(d);
      f.get(d).op("f64.convert_i64_s").get(b).op("f64.add").get(c).op("f64.add");
    });
    expect(f(1.25, -7)).toBe(-21 + 1.75 + 1.75);
  });

  it("calls imported and defined functions, by index and recursively", () => {
    const module = new ModuleBuilder();
    const type = { params: ["f64"], results: ["f64"] } as const;
    const double = module.importFunction("env", "double", type);
    const f = module.defineFunction(type, "f"); // f(x) = x < 100 ? f(double(x)) : g(x)
    const g = module.defineFunction(type, "g");
    f.get(0).f64(100).op("f64.lt").if("f64").get(0).call(double).call(f.index).else().get(0).call(g.index).end();
    g.get(0).f64(1).op("f64.add");
    module.exportFunction("f", f);
    module.exportFunction("double", double);
    const bytes = new WebAssembly.Module(module.finish());
    const { exports } = new WebAssembly.Instance(bytes, { env: { double: (x: number) => 2 * x } });
    expect((exports.f as (x: number) => number)(3)).toBe(193);
    expect((exports.double as (x: number) => number)(3)).toBe(6);
  });

  it("returns several values", () => {
    const f = compile({ params: ["i32"], results: ["i32", "f64"] }, (f) => f.get(0).f64(0.5)) as unknown;
    expect([...(f as (x: number) => Iterable<number>)(4)]).toEqual([4, 0.5]);
  });
});

describe("memory", () => {
  it("loads with the sign or without it, at offsets beyond one byte of LEB128", () => {
    const memory = newMemory();
    new DataView(memory.buffer).setInt32(1000, -2, true);
    const load = (name: Parameters<FunctionBuilder["memory"]>[0]) =>
      compile({ params: [], results: ["i32"] }, (f) => f.i32(300).memory(name, 700), memory)();
    expect(load("i32.load")).toBe(-2);
    expect(load("i32.load8_s")).toBe(-2);
    expect(load("i32.load8_u")).toBe(254);
    expect(load("i32.load16_s")).toBe(-2);
    expect(load("i32.load16_u")).toBe(65534);
  });

  it("stores the low bytes only, unaligned where so declared", () => {
    const memory = newMemory();
    const f = compile(
      { params: ["i32", "f64"], results: [] },
      (f) => {
        f.i32(1).get(0).memory("i32.store8", 0).i32(3).get(0).memory("i32.store16", 0, 0);
        f.i32(7).get(1).memory("f64.store", 0, 0);
      },
      memory,
    );
    f(0x1234_56ab, Math.PI);
    expect([...new Uint8Array(memory.buffer, 0, 7)]).toEqual([0, 0xab, 0, 0xab, 0x56, 0, 0]);
    expect(new DataView(memory.buffer).getFloat64(7, true)).toBe(Math.PI);
  });

  it("copies, fills and tells its size", () => {
    const memory = newMemory();
    new Uint8Array(memory.buffer).set([1, 2, 3, 4], 8);
    const f = compile(
      { params: [], results: ["i32"] },
      (f) => {
        f.i32(10).i32(8).i32(4).op("memory.copy"); // overlapping
        f.i32(20).i32(7).i32(3).op("memory.fill");
        f.i32(1).op("memory.grow").op("memory.size").op("i32.add"); // -1 + 1: it is at its maximum
      },
      memory,
    );
    expect(f()).toBe(0);
    expect([...new Uint8Array(memory.buffer, 8, 16)]).toEqual([1, 2, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 7, 7, 7, 0]);
  });

  it.each([false, true])("takes atomic instructions (shared: %s)", (shared) => {
    const memory = newMemory(shared);
    const module = moduleOf(
      { params: ["i32"], results: ["i32"] },
      (f) => {
        f.i32(0).get(0).memory("i32.atomic.store", 64).op("atomic.fence");
        f.i32(0).i32(5).memory("i32.atomic.rmw.add", 64).op("drop");
        f.i32(0).i32(200).memory("i32.atomic.rmw8.xchg_u", 68).op("drop");
        f.i32(0).get(0).i32(5).op("i32.add").i32(77).memory("i32.atomic.rmw.cmpxchg", 64); // the sum, then 77 in its place
        f.i32(0).i32(1).memory("memory.atomic.notify", 64).op("i32.add"); // nobody waits: 0
      },
      shared,
    );
    expect(instantiate(module, memory).f!(37)).toBe(42);
    expect([...new Int32Array(memory.buffer, 64, 2)]).toEqual([77, 200]);
  });

  it("waits no longer than it is told", () => {
    const memory = newMemory(true);
    const module = moduleOf(
      { params: ["i32"], results: ["i32"] },
      (f) => f.i32(0).get(0).i64(1000n).memory("memory.atomic.wait32", 64),
      true,
    );
    const { f } = instantiate(module, memory);
    expect(f!(0)).toBe(2); // timed out
    expect(f!(1)).toBe(1); // not equal
  });
});

describe("a module", () => {
  it("carries the names of its functions", () => {
    const module = moduleOf({ params: [], results: [] }, (f) => f.op("unreachable"));
    module.defineFunction({ params: [], results: [] }); // nameless
    const compiled = new WebAssembly.Module(module.finish());
    const [names] = WebAssembly.Module.customSections(compiled, "name");
    expect([...new Uint8Array(names!)]).toEqual([1, 4, 1, 0, 1, "f".charCodeAt(0)]);
  });

  it("may be large", () => {
    const f = compile({ params: ["i32"], results: ["i32"] }, (f) => {
      f.get(0);
      for (let i = 0; i < 100_000; i++) f.i32(i).op("i32.add");
    });
    expect(f(5)).toBe((5 + (100_000 * 99_999) / 2) | 0);
  });

  it("comes out the same twice", () => {
    const module = moduleOf({ params: [], results: ["f64"] }, (f) => f.f64(Number.NaN));
    expect(module.finish()).toEqual(module.finish());
  });
});

describe("what cannot be assembled is refused where it is written", () => {
  const refused: Record<string, (f: FunctionBuilder, module: ModuleBuilder) => unknown> = {
    "a branch further out than the function": (f) => f.block().br(2),
    "an end too many": (f) => f.end(),
    "a block left open": (f, module) => f.loop() && module.finish(),
    "a local that is not declared": (f) => f.get(1),
    "a lane that the vector lacks": (f) => f.lane("f32x4.extract_lane", 4),
    "a lane that the access lacks": (f) => f.memoryLane("v128.load64_lane", 0, 2),
    "a shuffle of too few lanes": (f) => f.shuffle([0, 1, 2]),
    "a vector of too few bytes": (f) => f.v128(new Uint8Array(15)),
    "an i32 of more than 32 bits": (f) => f.i32(2 ** 32),
    "an i32 with a fraction": (f) => f.i32(0.5),
    "an i64 of more than 64 bits": (f) => f.i64(2n ** 64n),
    "a negative offset": (f) => f.memory("i32.load", -4),
    "an import after a definition": (_, module) => module.importFunction("a", "b", { params: [], results: [] }),
    "a second memory": (_, module) => module.importMemory("a", "b", { initial: 1, maximum: 1, shared: false }),
    "two exports of one name": (f, module) => module.exportFunction("f", f),
  };
  it.each(Object.entries(refused))("%s", (_, build) => {
    let inner: FunctionBuilder | undefined;
    const module = moduleOf({ params: ["i32"], results: [] }, (f) => (inner = f));
    expect(() => build(inner!, module)).toThrow(AssemblerError);
  });
});

describe("LEB128", () => {
  const written = (write: (out: ByteWriter) => void) => {
    const out = new ByteWriter();
    write(out);
    return [...out.toBytes()];
  };

  it("takes the fewest bytes, as in the examples of DWARF, section 7.6", () => {
    expect(written((out) => out.unsigned(127))).toEqual([127]);
    expect(written((out) => out.unsigned(12857))).toEqual([57 + 0x80, 100]);
    expect(written((out) => out.unsigned(2 ** 32 - 1))).toEqual([255, 255, 255, 255, 15]);
    expect(written((out) => out.signed32(-129))).toEqual([0x7f + 0x80, 0x7e]);
    expect(written((out) => out.signed32(128))).toEqual([0x80, 1]);
    expect(written((out) => out.signed64(-129n))).toEqual([0x7f + 0x80, 0x7e]);
  });
});
