// The machine that a pickle drives: its bytes, stack, marks and memo, and what each may do to them. Work and memory are
// bounded by the length of the pickle; every place that is read or written is checked. pickle.ts has the opcodes.

import { FileFormatError, UnsafePickleError } from "./errors.ts";
import { MemoryLimitError } from "./limits.ts";
import {
  type ContainerKind,
  describeValue,
  type PickleCall,
  PickleContainer,
  PickleGlobal,
  type PickleObject,
  type PickleValue,
} from "./pickle-values.ts";
import { copyOf, textOf } from "./raw.ts";

export interface PickleReader {
  /** What a name stands for; `place` is where it is used. It throws for every name that is not on its list. */
  readonly find: (module: string, name: string, place: string) => PickleObject;
  /** What a persistent id stands for. */
  readonly load: (id: PickleValue, site: PickleCall) => PickleValue;
  /** The file and the place in it, for errors. */
  readonly file: string;
  readonly place: string;
}

// Every byte of a pickle can take some ten bytes of memory, so its length is what bounds them. The pickle of a state dict
// of a hundred thousand tensors has 20 MB; their elements are not in it.
const LONGEST_PICKLE = 2 ** 25;
/** pickle.py collects a thousand items at a time, but all those of a tuple. */
const DEEPEST_STACK = 2 ** 20;
const LONGEST_NAME = 256;
/** Bytes of an integer: more than any number here needs, and converting long ones takes quadratic time. */
const LONGEST_INTEGER = 255;
const HIGHEST_PROTOCOL = 5;

/** What containers and copies cost in comparison with a byte of the pickle, and what is granted beyond its length. */
const COST_OF_CONTAINER = 4;
const GRANTED = 2 ** 17;

export class PickleMachine implements PickleCall {
  private position = 0;
  /** Where the opcode being run begins. */
  private start = 0;
  private readonly view: DataView;
  private readonly stack: PickleValue[] = [];
  /** Heights of the stack at its marks. */
  private readonly marks: number[] = [];
  private readonly memo: PickleValue[] = [];
  private allowance: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly reader: PickleReader,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.allowance = GRANTED + bytes.length;
  }

  /** Whether the pickle is one to begin with. */
  begin(): void {
    if (this.bytes.length <= LONGEST_PICKLE) return;
    const problem = `the pickle has ${this.bytes.length} bytes, and at most ${LONGEST_PICKLE} are read`;
    throw this.error(MemoryLimitError, problem, "Save large data as tensors, whose elements are not in the pickle.");
  }

  /** The next opcode. */
  opcode(): number {
    if (this.stack.length > DEEPEST_STACK) this.fail(`more than ${DEEPEST_STACK} values wait to be used`);
    this.start = this.position;
    return this.byte();
  }

  /** The one value that has to be left when everything is read. */
  result(): PickleValue {
    if (this.stack.length !== 1 || this.marks.length > 0) {
      this.fail(`it ends with ${this.stack.length} values and ${this.marks.length} marks instead of one value`);
    }
    if (this.position !== this.bytes.length) this.fail("bytes follow its end");
    return this.stack[0];
  }

  // Reading -----------------------------------------------------------------------------------------------------------

  /** Moves past `count` bytes and says where they begin. */
  take(count: number): number {
    const at = this.position;
    if (!(count <= this.bytes.length - at)) {
      this.fail(`${count} bytes should follow, and ${this.bytes.length - at} are left`);
    }
    this.position = at + count;
    return at;
  }

  byte(): number {
    return this.bytes[this.take(1)];
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  i32(): number {
    return this.view.getInt32(this.take(4), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  /** From 2^53 on not exact, but then larger than what follows. */
  u64(): number {
    return Number(this.view.getBigUint64(this.take(8), true));
  }

  float(): number {
    return this.view.getFloat64(this.take(8), false);
  }

  blob(length: number): Uint8Array {
    const at = this.take(length);
    return copyOf(this.bytes, at, at + length);
  }

  text(length: number): string {
    const at = this.take(length);
    return textOf(this.bytes, at, at + length) ?? this.fail(`its ${length} bytes are not UTF-8 text`);
  }

  /** Text up to the end of a line. */
  line(): string {
    const end = this.bytes.subarray(this.position, this.position + LONGEST_NAME + 1).indexOf(0x0a);
    if (end < 0) this.fail(`a name has no end within ${LONGEST_NAME} bytes`);
    const text = this.text(end);
    this.position += 1;
    return text;
  }

  /** An integer of any number of bytes, little-endian, in two's complement. */
  integer(length: number): number | bigint {
    if (length > LONGEST_INTEGER) {
      this.fail(`an integer of ${length} bytes is longer than the ${LONGEST_INTEGER} that are read`);
    }
    let value = 0n;
    const bytes = this.blob(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    const signed = BigInt.asIntN(8 * length, value);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  }

  skipFrame(): void {
    const length = this.u64();
    const left = this.bytes.length - this.position;
    if (length > left) this.fail(`a frame of ${length} bytes begins, and ${left} are left`);
  }

  protocol(): void {
    const version = this.byte();
    if (version > HIGHEST_PROTOCOL) this.fail(`protocol ${version} is unknown; ${HIGHEST_PROTOCOL} is the highest`);
  }

  // Stack -------------------------------------------------------------------------------------------------------------

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  /** The topmost value; a mark hides those below it. */
  pop(): PickleValue {
    this.peek();
    return this.stack.pop()!;
  }

  peek(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) this.fail("a value is used, and there is none");
    return this.stack.at(-1)!;
  }

  mark(): void {
    this.marks.push(this.stack.length);
    this.spend(1);
  }

  /** All values above the last mark, which goes with them. */
  popMarked(): PickleValue[] {
    const height = this.marks.pop();
    if (height === undefined) this.fail("a mark is used, and there is none");
    return this.stack.splice(height);
  }

  drop(): void {
    if (this.stack.length === this.marks.at(-1)) this.marks.pop();
    else this.pop();
  }

  popped(count: number): PickleValue[] {
    const values: PickleValue[] = [];
    for (let i = 0; i < count; i++) values.unshift(this.pop());
    return values;
  }

  // Memo --------------------------------------------------------------------------------------------------------------

  /** Picklers number what they remember one after the other. */
  remember(index: number): void {
    if (index > this.memo.length) {
      this.fail(`the memo is written at ${index}, and it has ${this.memo.length} entries`);
    }
    this.memo[index] = this.peek();
  }

  rememberNext(): void {
    this.remember(this.memo.length);
  }

  recall(index: number): void {
    if (index >= this.memo.length) {
      this.fail(`the memo is read at ${index}, and it has ${this.memo.length} entries`);
    }
    this.push(this.memo[index]);
  }

  // Containers --------------------------------------------------------------------------------------------------------

  make(kind: ContainerKind, items: PickleValue[]): void {
    this.spend(COST_OF_CONTAINER);
    if (kind === "dict" && items.length % 2 === 1) this.fail("a dict has a key without a value");
    this.push(new PickleContainer(kind, items));
  }

  /** Adds to the container below, which has to be of one of the kinds. */
  add(kinds: readonly ContainerKind[], values: readonly PickleValue[]): void {
    const target = this.peek();
    if (!(target instanceof PickleContainer) || !kinds.includes(target.kind)) {
      this.fail(`items are added to ${describeValue(target)}, not to a ${kinds[0]}`);
    }
    if (target.isDict && values.length % 2 === 1) this.fail("a dict gets a key without a value");
    for (const value of values) target.items.push(value);
  }

  // Globals -----------------------------------------------------------------------------------------------------------

  global(module: PickleValue, name: PickleValue): void {
    if (typeof module !== "string" || typeof name !== "string") {
      this.fail(`a global is named by ${describeValue(module)} and ${describeValue(name)}`);
    }
    this.push(this.reader.find(module, name, this.place()));
  }

  call(): void {
    const [callee, args] = this.popped(2);
    if (!(callee instanceof PickleGlobal) || callee.call === undefined) {
      throw this.unsafe(`it calls ${describeValue(callee)}`);
    }
    if (!(args instanceof PickleContainer && args.kind === "tuple")) {
      this.fail(`${callee.what} is called with ${describeValue(args)} instead of a tuple`);
    }
    this.spend(COST_OF_CONTAINER);
    this.push(callee.call(args.items, this));
  }

  /** Attributes of an object. Only those of an OrderedDict are harmless (PyTorch keeps versions of layers there): left out. */
  setState(): void {
    const state = this.pop();
    const target = this.peek();
    if (!(target instanceof PickleContainer && target.kind === "OrderedDict")) {
      throw this.unsafe(`it sets attributes of ${describeValue(target)}`);
    }
    if (!(state instanceof PickleContainer && state.isDict)) {
      throw this.unsafe(`it sets the attributes of an OrderedDict by ${describeValue(state)}`);
    }
  }

  persistent(): void {
    this.push(this.reader.load(this.pop(), this));
  }

  /** Refuses an opcode that makes objects. `what` may read the class it is about. */
  refuse(what: string): never {
    throw this.unsafe(what);
  }

  // Limits and errors -------------------------------------------------------------------------------------------------

  spend(items: number): void {
    this.allowance -= items;
    if (this.allowance < 0) {
      const problem = `its ${this.bytes.length} bytes make more objects than any file of that length needs`;
      throw this.error(MemoryLimitError, problem, "The file is damaged or hostile: get it from where you trust it.");
    }
  }

  fail(problem: string): never {
    throw this.error(FileFormatError, problem, "The file is cut short or damaged: get it again, or save it again.");
  }

  private place(): string {
    return `${this.reader.place}, byte ${this.start}`;
  }

  private unsafe(problem: string): UnsafePickleError {
    const remedy = "Nothing was run. In Python, save plain data only: torch.save(model.state_dict(), path).";
    return this.error(UnsafePickleError, problem, remedy);
  }

  private error<E extends FileFormatError>(
    kind: new (file: string, place: string, problem: string, remedy: string) => E,
    problem: string,
    remedy: string,
  ): E {
    return new kind(this.reader.file, this.place(), problem, remedy);
  }
}
