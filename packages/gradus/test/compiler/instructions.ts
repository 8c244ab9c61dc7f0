// Reads the instructions back from a module, by the tables it was assembled with.
//
// Source: WebAssembly Core Specification 3.0, chapter 5 (binary format).

import {
  laneOpcodes,
  memoryLaneOpcodes,
  memoryOpcodes,
  plainOpcodes,
  structureOpcodes,
  zeroImmediates,
} from "../../src/backends/cpu/wasm/opcodes.ts";

/** An instruction by its name, and the blocks it is in, the outermost first; each block is one object. */
export interface Instruction {
  readonly name: string;
  readonly within: readonly Block[];
}

export interface Block {
  readonly kind: "block" | "loop" | "if" | "else";
  /** Whether it leaves a vector. */
  readonly isVector: boolean;
}

const codeSection = 10;
const vectorType = 0x7b;

/** Bytes after the opcode: numbers in LEB128, then plain bytes. */
interface Immediates {
  readonly numbers: number;
  readonly bytes: number;
}

const structureImmediates: { readonly [name in keyof typeof structureOpcodes]: Immediates } = {
  block: { numbers: 0, bytes: 1 },
  loop: { numbers: 0, bytes: 1 },
  if: { numbers: 0, bytes: 1 },
  else: { numbers: 0, bytes: 0 },
  end: { numbers: 0, bytes: 0 },
  br: { numbers: 1, bytes: 0 },
  br_if: { numbers: 1, bytes: 0 },
  call: { numbers: 1, bytes: 0 },
  "local.get": { numbers: 1, bytes: 0 },
  "local.set": { numbers: 1, bytes: 0 },
  "local.tee": { numbers: 1, bytes: 0 },
  "i32.const": { numbers: 1, bytes: 0 },
  "i64.const": { numbers: 1, bytes: 0 },
  "f32.const": { numbers: 0, bytes: 4 },
  "f64.const": { numbers: 0, bytes: 8 },
  "v128.const": { numbers: 0, bytes: 16 },
  "i8x16.shuffle": { numbers: 0, bytes: 16 },
};

function tableOfOpcodes(): ReadonlyMap<number, { readonly name: string; readonly immediates: Immediates }> {
  const table = new Map<number, { name: string; immediates: Immediates }>();
  const add = (name: string, opcode: number, numbers: number, bytes: number): void => {
    table.set(opcode, { name, immediates: { numbers, bytes } });
  };
  for (const [name, opcode] of Object.entries(plainOpcodes)) {
    add(name, opcode, 0, (zeroImmediates as { readonly [name: string]: number | undefined })[name] ?? 0);
  }
  for (const [name, [opcode]] of Object.entries(memoryOpcodes)) add(name, opcode, 2, 0);
  for (const [name, [opcode]] of Object.entries(laneOpcodes)) add(name, opcode, 0, 1);
  for (const [name, [opcode]] of Object.entries(memoryLaneOpcodes)) add(name, opcode, 2, 1);
  for (const [name, opcode] of Object.entries(structureOpcodes)) {
    const { numbers, bytes } = structureImmediates[name as keyof typeof structureOpcodes];
    add(name, opcode, numbers, bytes);
  }
  return table;
}

class Reader {
  position = 0;
  constructor(private readonly bytes: Uint8Array) {}

  get atEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  byte(): number {
    return this.bytes[this.position++];
  }

  /** A number in LEB128; of a signed one only the length counts here. */
  number(): number {
    let result = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      result += (byte & 0x7f) * factor;
      if (byte < 128) return result;
    }
  }

  part(length: number): Reader {
    const part = new Reader(this.bytes.subarray(this.position, this.position + length));
    this.position += length;
    return part;
  }
}

/** The instructions of every function that a module defines. */
export function instructionsOf(module: Uint8Array): Instruction[][] {
  const opcodes = tableOfOpcodes();
  const reader = new Reader(module);
  reader.part(8); // magic and version
  while (!reader.atEnd) {
    const section = reader.byte();
    const content = reader.part(reader.number());
    if (section !== codeSection) continue;
    return Array.from({ length: content.number() }, () => bodyOf(content.part(content.number()), opcodes));
  }
  return [];
}

function bodyOf(code: Reader, opcodes: ReturnType<typeof tableOfOpcodes>): Instruction[] {
  for (let runs = code.number(); runs > 0; runs--) {
    code.number();
    code.byte();
  }
  const instructions: Instruction[] = [];
  const open: Block[] = [];
  while (!code.atEnd) {
    const prefix = code.byte();
    const opcode = prefix < 0xfb ? prefix : prefix * 0x1_0000 + code.number();
    const known = opcodes.get(opcode);
    if (known === undefined) throw new Error(`The opcode ${opcode.toString(16)} is in no table of the assembler.`);
    const { name, immediates } = known;
    if (name === "end") open.pop();
    const isBlock = name === "block" || name === "loop" || name === "if";
    if (isBlock) open.push({ kind: name, isVector: code.byte() === vectorType });
    else if (name === "else") open.push({ ...open.pop()!, kind: "else" });
    else {
      for (let i = 0; i < immediates.numbers; i++) code.number();
      code.part(immediates.bytes);
    }
    instructions.push({ name, within: [...open] });
  }
  return instructions;
}

/** The instructions of every loop that has no loop in it. */
export function innermostLoopsOf(functions: readonly (readonly Instruction[])[]): Instruction[][] {
  const loops = new Map<Block, Instruction[]>();
  const outer = new Set<Block>();
  for (const instruction of functions.flat()) {
    const around = instruction.within.filter(({ kind }) => kind === "loop");
    const innermost = around.pop();
    for (const loop of around) outer.add(loop);
    if (innermost !== undefined) loops.set(innermost, [...(loops.get(innermost) ?? []), instruction]);
  }
  return [...loops].filter(([loop]) => !outer.has(loop)).map(([, instructions]) => instructions);
}
