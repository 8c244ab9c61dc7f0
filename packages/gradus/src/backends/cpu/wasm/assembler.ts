// A small WebAssembly assembler: modules with one memory, imported and defined functions, and every instruction of
// the tables in opcodes.ts. It checks what would otherwise surface as an opaque validation error far from its cause
// (nesting, branch depths, indices, immediates); types are left to the engine's own validator.
//
// Source: WebAssembly Core Specification 3.0, chapter 5 (binary format).

import { ByteWriter } from "./byte-writer.ts";
import {
  type LaneOpcode,
  laneOpcodes,
  type MemoryLaneOpcode,
  type MemoryOpcode,
  memoryLaneOpcodes,
  memoryOpcodes,
  type PlainOpcode,
  plainOpcodes,
  structureOpcodes,
  zeroImmediates,
} from "./opcodes.ts";

export type { LaneOpcode, MemoryLaneOpcode, MemoryOpcode, PlainOpcode } from "./opcodes.ts";

const valueTypeCodes = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = keyof typeof valueTypeCodes;

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Pages of 64 KiB. A shared memory matches an import only if that is shared as well. */
export interface MemoryLimits {
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/** The program being assembled contradicts itself. */
export class AssemblerError extends Error {
  override readonly name = "AssemblerError";
}

const noResult = 0x40;
const functionTypeCode = 0x60;
const magicAndVersion = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const externalKinds = { function: 0x00, memory: 0x02 } as const;
const sectionIds = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const functionNamesSubsection = 1;

/** Builds one module: first its imports, then its functions and exports, then `finish()`. */
export class ModuleBuilder {
  readonly #types = new Map<string, { readonly index: number; readonly type: FunctionType }>();
  readonly #imports: ((out: ByteWriter) => void)[] = [];
  readonly #functions: { readonly builder: FunctionBuilder; readonly typeIndex: number }[] = [];
  readonly #exports = new Map<string, number>();
  readonly #names: string[] = [];
  #importedFunctions = 0;
  #hasMemory = false;

  /** Imports the memory that loads and stores go to. A module has one at most. */
  importMemory(module: string, name: string, { initial, maximum, shared }: MemoryLimits): void {
    if (this.#hasMemory)
      throw new AssemblerError(`A second memory, ${module}.${name}, is imported. Import one memory.`);
    this.#hasMemory = true;
    this.#imports.push((out) => {
      out.name(module);
      out.name(name);
      out.byte(externalKinds.memory);
      out.byte(shared ? 0x03 : 0x01); // both flags state that a maximum follows
      out.unsigned(initial);
      out.unsigned(maximum);
    });
  }

  /** Imports a function and returns its index. Imported functions are numbered first: call before `defineFunction`. */
  importFunction(module: string, name: string, type: FunctionType): number {
    if (this.#functions.length > 0) {
      throw new AssemblerError(
        `${module}.${name} is imported after ${this.#functions.length} functions were defined, which would renumber them. ` +
          "Import every function before defining the first.",
      );
    }
    const typeIndex = this.#typeIndex(type);
    this.#imports.push((out) => {
      out.name(module);
      out.name(name);
      out.byte(externalKinds.function);
      out.unsigned(typeIndex);
    });
    this.#names.push(`${module}.${name}`);
    return this.#importedFunctions++;
  }

  /** Starts a function. `debugName` is what stack traces and profilers show. */
  defineFunction(type: FunctionType, debugName = ""): FunctionBuilder {
    const builder = new FunctionBuilder(this.#importedFunctions + this.#functions.length, type, debugName);
    this.#functions.push({ builder, typeIndex: this.#typeIndex(type) });
    this.#names.push(debugName);
    return builder;
  }

  exportFunction(name: string, f: FunctionBuilder | number): void {
    if (this.#exports.has(name)) {
      throw new AssemblerError(`Two functions are exported as "${name}". Give each its own name.`);
    }
    this.#exports.set(name, typeof f === "number" ? f : f.index);
  }

  /** The module's bytes. The builder can go on being used; the bytes do not change with it. */
  finish(): Uint8Array<ArrayBuffer> {
    const module = new ByteWriter();
    const section = (id: number, write: (out: ByteWriter) => void) => {
      const content = new ByteWriter();
      write(content);
      module.byte(id);
      module.sized(content);
    };
    const vector = <T>(out: ByteWriter, items: Iterable<T> & { readonly length: number }, write: (item: T) => void) => {
      out.unsigned(items.length);
      for (const item of items) write(item);
    };

    module.bytes(magicAndVersion);
    section(sectionIds.type, (out) =>
      vector(out, [...this.#types.values()], ({ type }) => {
        out.byte(functionTypeCode);
        vector(out, type.params, (param) => out.byte(valueTypeCodes[param]));
        vector(out, type.results, (result) => out.byte(valueTypeCodes[result]));
      }),
    );
    section(sectionIds.import, (out) => vector(out, this.#imports, (write) => write(out)));
    section(sectionIds.function, (out) => vector(out, this.#functions, ({ typeIndex }) => out.unsigned(typeIndex)));
    section(sectionIds.export, (out) =>
      vector(out, [...this.#exports], ([name, index]) => {
        out.name(name);
        out.byte(externalKinds.function);
        out.unsigned(index);
      }),
    );
    section(sectionIds.code, (out) => vector(out, this.#functions, ({ builder }) => out.sized(builder.encode())));
    section(sectionIds.custom, (out) => {
      out.name("name");
      const names = new ByteWriter();
      const named = [...this.#names.entries()].filter(([, name]) => name !== "");
      vector(names, named, ([index, name]) => {
        names.unsigned(index);
        names.name(name);
      });
      out.byte(functionNamesSubsection);
      out.sized(names);
    });
    return module.toBytes();
  }

  #typeIndex(type: FunctionType): number {
    const key = `${type.params.join()}:${type.results.join()}`;
    let entry = this.#types.get(key);
    if (entry === undefined) this.#types.set(key, (entry = { index: this.#types.size, type }));
    return entry.index;
  }
}

/** Writes the body of one function, instruction by instruction, in the order of the stack machine. */
export class FunctionBuilder {
  readonly index: number;
  readonly #label: string;
  readonly #parameterCount: number;
  readonly #locals: ValueType[] = [];
  readonly #body = new ByteWriter();
  #depth = 0;

  /** Made by `ModuleBuilder.defineFunction`. */
  constructor(index: number, type: FunctionType, debugName: string) {
    this.index = index;
    this.#label = debugName === "" ? `Function ${index}` : `Function ${index} (${debugName})`;
    this.#parameterCount = type.params.length;
  }

  /** Declares a local, zero at entry, and returns its index. Parameters are the locals from 0 on. */
  local(type: ValueType): number {
    this.#locals.push(type);
    return this.#parameterCount + this.#locals.length - 1;
  }

  /** An instruction without immediates. */
  op(name: PlainOpcode): this {
    this.#opcode(plainOpcodes[name]);
    for (let zeros = zeroImmediates[name] ?? 0; zeros > 0; zeros--) this.#body.byte(0);
    return this;
  }

  get(local: number): this {
    return this.#local("local.get", local);
  }

  set(local: number): this {
    return this.#local("local.set", local);
  }

  tee(local: number): this {
    return this.#local("local.tee", local);
  }

  /** A constant from -2^31 to 2^32 - 1; from 2^31 on it stands for the same bits read as signed. */
  i32(value: number): this {
    if (!Number.isInteger(value) || value < -0x8000_0000 || value > 0xffff_ffff) {
      throw this.#error(`i32.const ${value} does not fit 32 bits.`, "Give an integer from -2^31 to 2^32 - 1.");
    }
    this.#opcode(structureOpcodes["i32.const"]);
    this.#body.signed32(value);
    return this;
  }

  /** A constant from -2^63 to 2^64 - 1; from 2^63 on it stands for the same bits read as signed. */
  i64(value: bigint): this {
    if (BigInt.asIntN(64, value) !== value && BigInt.asUintN(64, value) !== value) {
      throw this.#error(`i64.const ${value} does not fit 64 bits.`, "Give an integer from -2^63 to 2^64 - 1.");
    }
    this.#opcode(structureOpcodes["i64.const"]);
    this.#body.signed64(value);
    return this;
  }

  /** The float32 nearest to `value`. */
  f32(value: number): this {
    this.#opcode(structureOpcodes["f32.const"]);
    this.#body.float32(value);
    return this;
  }

  f64(value: number): this {
    this.#opcode(structureOpcodes["f64.const"]);
    this.#body.float64(value);
    return this;
  }

  /** A vector constant from its 16 bytes, lowest lane first. */
  v128(bytes: Uint8Array): this {
    if (bytes.length !== 16) {
      throw this.#error(`v128.const is given ${bytes.length} bytes.`, "Give the 16 bytes of the vector.");
    }
    this.#opcode(structureOpcodes["v128.const"]);
    this.#body.bytes(bytes);
    return this;
  }

  /** A load, a store or an atomic access at `offset` bytes (below 2^32) past the address on the stack. */
  memory(name: MemoryOpcode, offset: number, alignLog2?: number): this {
    const [opcode, naturalAlignLog2] = memoryOpcodes[name];
    this.#memoryImmediates(name, opcode, offset, alignLog2 ?? naturalAlignLog2);
    return this;
  }

  /** Extracts or replaces one lane. */
  lane(name: LaneOpcode, lane: number): this {
    const [opcode, lanes] = laneOpcodes[name];
    this.#opcode(opcode);
    this.#lane(name, lane, lanes);
    return this;
  }

  /** Loads into, or stores out of, one lane. */
  memoryLane(name: MemoryLaneOpcode, offset: number, lane: number): this {
    const [opcode, alignLog2] = memoryLaneOpcodes[name];
    this.#memoryImmediates(name, opcode, offset, alignLog2);
    this.#lane(name, lane, 16 >> alignLog2);
    return this;
  }

  /** i8x16.shuffle: byte i of the result is byte `lanes[i]` of the two operands laid end to end (0 to 31). */
  shuffle(lanes: readonly number[]): this {
    if (lanes.length !== 16) {
      throw this.#error(`i8x16.shuffle is given ${lanes.length} lanes.`, "Give 16 lanes.");
    }
    this.#opcode(structureOpcodes["i8x16.shuffle"]);
    for (const lane of lanes) this.#lane("i8x16.shuffle", lane, 32);
    return this;
  }

  block(result?: ValueType): this {
    return this.#open("block", result);
  }

  /** A branch to a loop's depth goes back to its start. */
  loop(result?: ValueType): this {
    return this.#open("loop", result);
  }

  /** Runs what follows, up to `else` or `end`, where the i32 on the stack is not zero. */
  if(result?: ValueType): this {
    return this.#open("if", result);
  }

  else(): this {
    this.#opcode(structureOpcodes.else);
    return this;
  }

  /** Ends the innermost block, loop or if. The end of the function itself is written by `finish()`. */
  end(): this {
    if (this.#depth === 0) {
      throw this.#error("end() is called with no block open.", "The function's own end is written for you.");
    }
    this.#depth--;
    this.#opcode(structureOpcodes.end);
    return this;
  }

  /** Branches to the block that is `depth` levels out; 0 is the innermost, the outermost level is the function. */
  br(depth: number): this {
    return this.#branch("br", depth);
  }

  /** Branches where the i32 on the stack is not zero. */
  brIf(depth: number): this {
    return this.#branch("br_if", depth);
  }

  call(index: number): this {
    this.#opcode(structureOpcodes.call);
    this.#body.unsigned(index);
    return this;
  }

  /** The locals and the body as the code section holds them. Called by `ModuleBuilder.finish`. */
  encode(): ByteWriter {
    if (this.#depth !== 0) {
      throw this.#error(`${this.#depth} blocks are still open at the end of the body.`, "Call end() for each of them.");
    }
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const code = new ByteWriter();
    code.unsigned(runs.length);
    for (const { type, count } of runs) {
      code.unsigned(count);
      code.byte(valueTypeCodes[type]);
    }
    code.append(this.#body);
    code.byte(structureOpcodes.end);
    return code;
  }

  #opcode(code: number): void {
    if (code <= 0xff) {
      this.#body.byte(code);
    } else {
      this.#body.byte(code >>> 16);
      this.#body.unsigned(code & 0xffff);
    }
  }

  #local(name: "local.get" | "local.set" | "local.tee", local: number): this {
    const count = this.#parameterCount + this.#locals.length;
    if (!(local >= 0 && local < count)) {
      throw this.#error(
        `${name} ${local} is outside its ${count} locals.`,
        "Declare the local first with local(type).",
      );
    }
    this.#opcode(structureOpcodes[name]);
    this.#body.unsigned(local);
    return this;
  }

  #memoryImmediates(name: string, opcode: number, offset: number, alignLog2: number): void {
    if (!Number.isInteger(offset) || offset < 0 || offset > 0xffff_ffff) {
      throw this.#error(`${name} has the offset ${offset}.`, "Give an integer from 0 to 2^32 - 1.");
    }
    this.#opcode(opcode);
    this.#body.unsigned(alignLog2);
    this.#body.unsigned(offset);
  }

  #lane(name: string, lane: number, lanes: number): void {
    if (!Number.isInteger(lane) || lane < 0 || lane >= lanes) {
      throw this.#error(`${name} names lane ${lane}.`, `Give a lane from 0 to ${lanes - 1}.`);
    }
    this.#body.byte(lane);
  }

  #open(name: "block" | "loop" | "if", result?: ValueType): this {
    this.#depth++;
    this.#opcode(structureOpcodes[name]);
    this.#body.byte(result === undefined ? noResult : valueTypeCodes[result]);
    return this;
  }

  #branch(name: "br" | "br_if", depth: number): this {
    if (!(depth >= 0 && depth <= this.#depth)) {
      throw this.#error(
        `${name} ${depth} leaves more levels than the ${this.#depth} that are open.`,
        `Give a depth from 0 to ${this.#depth}.`,
      );
    }
    this.#opcode(structureOpcodes[name]);
    this.#body.unsigned(depth);
    return this;
  }

  #error(wrong: string, remedy: string): AssemblerError {
    return new AssemblerError(`${this.#label}: ${wrong} ${remedy}`);
  }
}
