// An interpreter of Python's pickles that runs nothing: every opcode makes plain data, and the only globals are those that
// the caller lists. Protocols 1 to 5, as torch.save writes them (2 by default). Opcodes that would make objects in other ways
// are refused by name. Leans on pickle-machine.ts for the state and its limits.
// Format: Python's Lib/pickletools.py, which documents every opcode.

import { quoted } from "./errors.ts";
import { PickleMachine, type PickleReader } from "./pickle-machine.ts";
import type { PickleValue } from "./pickle-values.ts";

type Operation = (machine: PickleMachine) => void;

/**
 * The value of a pickle.
 * @throws FileFormatError for what is malformed, UnsafePickleError for what is not allowed, MemoryLimitError for bombs
 */
export function readPickle(bytes: Uint8Array, reader: PickleReader): PickleValue {
  const machine: PickleMachine = new PickleMachine(bytes, reader);
  machine.begin();
  for (let code = machine.opcode(); code !== STOP; code = machine.opcode()) {
    const operation = OPERATIONS.get(code);
    if (operation === undefined) {
      machine.fail(`the byte 0x${code.toString(16).padStart(2, "0")} is no opcode of protocols 1 to 5`);
    }
    operation(machine);
  }
  return machine.result();
}

const STOP = 0x2e;

/** An opcode that would make an object of a class, by its name. */
const refusal =
  (opcode: string): Operation =>
  (machine) =>
    machine.refuse(`the opcode ${opcode} would make an object of a class`);

const DICTS = ["dict", "OrderedDict"] as const;

/** The opcodes, by the names that pickletools gives them. */
const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  // Frames and marks
  [0x80, (m) => m.protocol()], // PROTO
  [0x95, (m) => m.skipFrame()], // FRAME
  [0x28, (m) => m.mark()], // MARK
  [0x30, (m) => m.drop()], // POP
  [0x31, (m) => void m.popMarked()], // POP_MARK
  [0x32, (m) => m.push(m.peek())], // DUP
  // Numbers and constants
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4a, (m) => m.push(m.i32())], // BININT
  [0x4b, (m) => m.push(m.byte())], // BININT1
  [0x4d, (m) => m.push(m.u16())], // BININT2
  [0x8a, (m) => m.push(m.integer(m.byte()))], // LONG1
  [0x8b, (m) => m.push(m.integer(m.u32()))], // LONG4
  [0x47, (m) => m.push(m.float())], // BINFLOAT
  // Texts and bytes; those of Python 2 as texts
  [0x8c, (m) => m.push(m.text(m.byte()))], // SHORT_BINUNICODE
  [0x58, (m) => m.push(m.text(m.u32()))], // BINUNICODE
  [0x8d, (m) => m.push(m.text(m.u64()))], // BINUNICODE8
  [0x55, (m) => m.push(m.text(m.byte()))], // SHORT_BINSTRING
  [0x54, (m) => m.push(m.text(m.u32()))], // BINSTRING
  [0x43, (m) => m.push(m.blob(m.byte()))], // SHORT_BINBYTES
  [0x42, (m) => m.push(m.blob(m.u32()))], // BINBYTES
  [0x8e, (m) => m.push(m.blob(m.u64()))], // BINBYTES8
  [0x96, (m) => m.push(m.blob(m.u64()))], // BYTEARRAY8
  // Containers
  [0x5d, (m) => m.make("list", [])], // EMPTY_LIST
  [0x6c, (m) => m.make("list", m.popMarked())], // LIST
  [0x61, (m) => m.add(["list"], m.popped(1))], // APPEND
  [0x65, (m) => m.add(["list"], m.popMarked())], // APPENDS
  [0x29, (m) => m.make("tuple", [])], // EMPTY_TUPLE
  [0x74, (m) => m.make("tuple", m.popMarked())], // TUPLE
  [0x85, (m) => m.make("tuple", m.popped(1))], // TUPLE1
  [0x86, (m) => m.make("tuple", m.popped(2))], // TUPLE2
  [0x87, (m) => m.make("tuple", m.popped(3))], // TUPLE3
  [0x7d, (m) => m.make("dict", [])], // EMPTY_DICT
  [0x64, (m) => m.make("dict", m.popMarked())], // DICT
  [0x73, (m) => m.add(DICTS, m.popped(2))], // SETITEM
  [0x75, (m) => m.add(DICTS, m.popMarked())], // SETITEMS
  [0x8f, (m) => m.make("set", [])], // EMPTY_SET
  [0x90, (m) => m.add(["set"], m.popMarked())], // ADDITEMS
  [0x91, (m) => m.make("set", m.popMarked())], // FROZENSET
  // Memo
  [0x71, (m) => m.remember(m.byte())], // BINPUT
  [0x72, (m) => m.remember(m.u32())], // LONG_BINPUT
  [0x94, (m) => m.rememberNext()], // MEMOIZE
  [0x68, (m) => m.recall(m.byte())], // BINGET
  [0x6a, (m) => m.recall(m.u32())], // LONG_BINGET
  // Globals, and what is made by them
  [0x63, (m) => m.global(m.line(), m.line())], // GLOBAL
  [0x93, (m) => m.global(...(m.popped(2) as [PickleValue, PickleValue]))], // STACK_GLOBAL
  [0x52, (m) => m.call()], // REDUCE
  [0x62, (m) => m.setState()], // BUILD
  [0x51, (m) => m.persistent()], // BINPERSID
  // What would make objects in other ways
  [0x69, (m) => m.refuse(`the opcode INST would make an object of ${quoted(`${m.line()}.${m.line()}`)}`)],
  [0x6f, refusal("OBJ")],
  [0x81, refusal("NEWOBJ")],
  [0x92, refusal("NEWOBJ_EX")],
  [0x82, refusal("EXT1")],
  [0x83, refusal("EXT2")],
  [0x84, refusal("EXT4")],
  [0x50, refusal("PERSID")],
  [0x97, refusal("NEXT_BUFFER")],
  [0x98, refusal("READONLY_BUFFER")],
]);
