// Files that mean harm, or that are broken: each is refused by an error of its own, and nothing in it runs.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { UnsafePickleError } from "../../src/io/errors.ts";
import { MemoryLimitError } from "../../src/io/limits.ts";
import { useDevice } from "../support/device.ts";
import {
  bytesOf,
  call,
  dict,
  errorOf,
  floats,
  global,
  goldenFile,
  goldenFolder,
  int,
  long,
  type Piece,
  pickle,
  storage,
  tensor,
  text,
  torchFile,
  tuple,
  u32,
  u64,
} from "./files.ts";

beforeAll(useDevice);

const { decodePt, decodePtState } = gd.io;

/** The error of an archive with this pickle and one storage "0" of six floats. */
const refusal = (...pieces: readonly Piece[]) =>
  errorOf(() => decodePt(torchFile(pickle(pieces), { 0: floats(1, 2, 3, 4, 5, 6) }), "evil.pt"));

const sixFloats = storage("FloatStorage", "0", int(6));
const orderedDict = call(global("collections", "OrderedDict"));

describe("what Python would run", () => {
  test.each([
    ["os-system.pt", "posix.system"],
    ["posix-system.pt", "posix.system"],
    ["eval.pt", "builtins.eval"],
    ["exec.pt", "builtins.exec"],
    ["popen.pt", "commands.Popen"], // protocol 2 has Python 2's name of subprocess
    ["getattr.pt", "builtins.getattr"],
    ["import.pt", "builtins.__import__"],
    ["torch-load.pt", "torch.serialization.load"],
    ["hub.pt", "torch.hub.load"],
    ["whole-module.pt", "torch.nn.modules.linear.Linear"],
    ["namespace.pt", "argparse.Namespace"],
    ["custom.pt", "__main__.Custom"],
    ["numpy-scalar.pt", "numpy.core.multiarray.scalar"],
  ])("%s, written by torch.save, is refused by the name %s", (file, name) => {
    const error = errorOf(() => decodePt(goldenFile(join("refused", file)), file));
    expect(error).toBeInstanceOf(UnsafePickleError);
    expect(error.name).toBe("UnsafePickleError");
    expect(error.message).toMatch(new RegExp(`^${file}, data\\.pkl, byte \\d+: it names "${name}", which is not on`));
    expect(error.message).toMatch(/float\(value\)|torch\.save\(model\.state_dict\(\), path\)/);
  });

  test.each([
    ["os", "system"],
    ["posix", "system"],
    ["nt", "system"],
    ["subprocess", "Popen"],
    ["builtins", "eval"],
    ["__builtin__", "eval"],
    ["builtins", "getattr"],
    ["builtins", "list.append"],
    ["torch", "load"],
    ["torch", "Size.__reduce__"],
    ["torch.serialization", "load"],
    ["collections", "OrderedDict.fromkeys"],
    ["collections", "__proto__"],
    ["__proto__", "constructor"],
    ["Object", "prototype"],
    ["", ""],
  ])("%s.%s is refused where it is named, by either opcode", (module, name) => {
    expect(refusal(call(global(module, name), text("echo run")))).toBeInstanceOf(UnsafePickleError);
    expect(refusal(text(module), text(name), 0x93, tuple(text("echo run")), "R")).toBeInstanceOf(UnsafePickleError);
  });

  test.each<readonly [string, Piece, RegExp]>([
    ["INST", ["(", text("echo run"), "ios\nsystem\n"], /INST would make an object of "os\.system"/],
    ["INST of an allowed class", "(icollections\nOrderedDict\n", /INST would make an object/],
    ["OBJ", ["(", global("collections", "OrderedDict"), "o"], /OBJ would make an object/],
    ["NEWOBJ", [global("collections", "OrderedDict"), ")", 0x81], /NEWOBJ would make an object/],
    ["NEWOBJ_EX", [global("collections", "OrderedDict"), ")}", 0x92], /NEWOBJ_EX would/],
    ["EXT1", [0x82, 1], /EXT1 would/],
    ["EXT2", [0x83, 1, 0], /EXT2 would/],
    ["EXT4", [0x84, u32(1)], /EXT4 would/],
    ["PERSID", "Pid\n", /PERSID would/],
    ["a buffer of its own", [0x97], /NEXT_BUFFER would/],
    ["calling a text", [text("os.system"), tuple(), "R"], /it calls a text/],
    ["calling a dict", [dict(), tuple(), "R"], /it calls a dict of 0 keys and values/],
    ["calling what an allowed class made", [orderedDict, tuple(), "R"], /it calls an OrderedDict/],
    ["calling a class that is only named", call(global("builtins", "list")), /it calls builtins\.list/],
    ["calling a storage class", call(global("torch", "FloatStorage"), int(6)), /it calls torch\.FloatStorage/],
    ["calling a dtype", call(global("torch", "float32")), /it calls torch\.float32/],
    ["BUILD of a dict", [dict(), dict([text("__class__"), text("x")]), "b"], /sets attributes of a dict/],
    ["BUILD of a list", ["]", dict(), "b"], /sets attributes of a list/],
    ["BUILD of a class", [global("collections", "OrderedDict"), dict(), "b"], /sets attributes of collections\.Ord/],
    ["BUILD of a tensor", [tensor(sixFloats, int(0), [], []), dict(), "b"], /sets attributes of a tensor/],
    ["BUILD by a pair of states", [orderedDict, tuple(dict(), dict()), "b"], /by a tuple of 2 items/],
    ["BUILD by a global", [orderedDict, global("torch", "Size"), "b"], /by torch\.Size/],
  ])("%s is refused", (_, pieces, message) => {
    const error = refusal(pieces);
    expect(error).toBeInstanceOf(UnsafePickleError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/Nothing was run/);
  });

  test("attributes that an OrderedDict gets change nothing", () => {
    const attributes = dict([text("items"), text("x")], [text("__class__"), text("y")], [text("constructor"), int(1)]);
    const value = decodePt(torchFile(pickle(orderedDict, attributes, "b")));
    expect(Object.getPrototypeOf(value)).toBe(null);
    expect(Object.keys(value as object)).toEqual([]);
  });
});

describe("names that reach for prototypes", () => {
  const one = tensor(sixFloats, int(0), [], []);

  test.each(["__proto__", "a.__proto__.b", "constructor.prototype.x"])("%s is no key", (name) => {
    expect(refusal(dict([text(name), dict([text("polluted"), int(1)])])).message).toMatch(/would reach the prototype/);
    const nested = dict([text("model"), dict([text(name), one])]);
    const archive = torchFile(pickle(nested), { 0: floats(1, 2, 3, 4, 5, 6) });
    expect(errorOf(() => decodePtState(archive)).message).toMatch(/would reach the prototype/);
    expect(({} as { polluted?: number }).polluted).toBe(undefined);
  });

  test("names that only together would reach one are refused where they are joined", () => {
    const archive = torchFile(pickle(dict([text("constructor"), dict([text("prototype"), one])])), {
      0: floats(1, 2, 3, 4, 5, 6),
    });
    expect(errorOf(() => decodePtState(archive)).message).toMatch(/"constructor\.prototype" would reach the prototype/);
  });

  test("two tensors of nested dicts that would have one name are refused, one tensor twice is not", () => {
    const other = tensor(sixFloats, int(1), [], []);
    const state = (second: Piece) =>
      decodePtState(
        torchFile(pickle(dict([text("a.b"), one], [text("a"), dict([text("b"), second])])), {
          0: floats(1, 2, 3, 4, 5, 6),
        }),
      );
    expect(errorOf(() => state(other)).message).toMatch(/two tensors are called "a\.b"/);
    expect([...state(one).keys()]).toEqual(["a.b"]);
  });

  test("names of methods that every object has are keys like others", () => {
    const value = decodePt(torchFile(pickle(dict([text("toString"), int(1)], [text("hasOwnProperty"), int(2)]))));
    expect(Object.entries(value as object)).toEqual([
      ["toString", 1],
      ["hasOwnProperty", 2],
    ]);
  });
});

describe("tensors that lie", () => {
  const view = (offset: Piece, shape: readonly Piece[], strides: readonly Piece[]) =>
    tensor(sixFloats, offset, shape, strides);

  test.each<readonly [string, Piece, RegExp]>([
    ["a negative offset", view(int(-1), [int(1)], [int(1)]), /offset is no whole number of 0 or more/],
    ["an offset that is no number", view(text("0"), [int(1)], [int(1)]), /offset is no whole number/],
    ["an offset of 2^62", view(long(2n ** 62n), [int(1)], [int(1)]), /offset is no whole number/],
    ["a truth as offset", view(0x88, [int(1)], [int(1)]), /offset is no whole number/],
    ["an offset past the end", view(int(6), [int(1)], [int(1)]), /reaches element 6 of a storage of 6/],
    ["a negative size", view(int(0), [int(-6)], [int(1)]), /sizes are no whole numbers/],
    ["a size that is a fraction", view(int(0), [bytesOf("G", [0x3f, 0xf8, 0, 0, 0, 0, 0, 0])], [int(1)]), /sizes are/],
    ["a negative stride", view(int(5), [int(6)], [int(-1)]), /strides are no whole numbers/],
    ["more strides than sizes", view(int(0), [int(6)], [int(1), int(1)]), /1 sizes and 2 strides/],
    ["65 axes", view(int(0), Array(65).fill(int(1)), Array(65).fill(int(1))), /65 sizes and 65 strides; .* up to 64/],
    ["one element too many", view(int(0), [int(7)], [int(1)]), /reaches element 6 of a storage of 6/],
    ["a stride too far", view(int(0), [int(2), int(2)], [int(5), int(1)]), /reaches element 6/],
    ["a stride of 2^53 - 1", view(int(0), [int(3)], [long(2n ** 53n - 1n)]), /reaches element 1801/],
    ["strides that overflow", view(int(0), Array(3).fill(int(2 ** 30)), [long(2n ** 52n), 0x88, 0x88]), /strides are/],
    [
      "sizes that overflow",
      view(int(0), Array(3).fill(int(2 ** 30)), Array(3).fill(int(0))),
      /more than 2\^53 elements/,
    ],
    ["sizes that are no tuple", call(global("torch._utils", "_rebuild_tensor_v2"), sixFloats, int(0), int(6)), /sizes/],
    ["no arguments", call(global("torch._utils", "_rebuild_tensor_v2")), /something else than a storage/],
    ["no storage", tensor(text("0"), int(0), [int(1)], [int(1)]), /something else than a storage/],
    ["a parameter of a text", call(global("torch._utils", "_rebuild_parameter"), text("x")), /else than a tensor/],
    ["a storage that is not there", storage("FloatStorage", "1", int(6)), /the archive has no storage "1"/],
    ["a storage by a path", storage("FloatStorage", "../version", int(6)), /no storage "\.\.\/version"/],
    [
      "a storage with too many elements",
      storage("FloatStorage", "0", int(7)),
      /should hold 7 elements of float32.* 24/,
    ],
    ["a storage with too few", storage("FloatStorage", "0", int(5)), /should hold 5 elements/],
    ["a storage of another type", storage("DoubleStorage", "0", int(6)), /should hold 6 elements of float64/],
    ["a storage of -1 elements", storage("FloatStorage", "0", int(-1)), /number of elements is no whole number/],
    ["complex numbers", storage("ComplexFloatStorage", "0", int(3)), /Complex numbers are not supported/],
    [
      "a storage class that is a text",
      [tuple(text("storage"), text("x"), text("0"), text("cpu"), int(6)), "Q"],
      /class/,
    ],
    [
      "a storage with a long name",
      storage("FloatStorage", "x".repeat(257), int(6)),
      /storage's name is no text of up to 256/,
    ],
    ["a persistent id that is a text", [text("storage"), "Q"], /persistent id is no storage/],
    ["a persistent id of another kind", [tuple(text("module"), text("x"), text("0"), text("cpu"), int(6)), "Q"], /id/],
    ["a tensor as a key", dict([view(int(0), [], []), int(1)]), /a tensor is a key/],
    ["a list as a key", dict(["]", int(1)]), /a list is a key/],
    ["a class as a value", global("collections", "OrderedDict"), /collections\.OrderedDict is kept as a value/],
  ])("%s is refused", (_, pieces, message) => {
    expect(refusal(pieces).message).toMatch(message);
  });

  test.each(["complex.pt", "quantized.pt", "sparse.pt"])("%s is refused with what to do in Python", (file) => {
    const error = errorOf(() => decodePt(goldenFile(join("refused", file)), file));
    expect(error.message).toMatch(/are not supported: save (torch\.view_as_real|tensor\.\w+)\(/);
  });

  test("an expanded tensor of 2^40 elements is refused before anything is allocated", () => {
    const huge = view(int(0), [int(2 ** 20), int(2 ** 20)], [int(0), int(0)]);
    const error = refusal(dict([text("w"), huge]));
    expect(error).toBeInstanceOf(MemoryLimitError);
    expect(error.message).toMatch(/tensor "w": 4398046511104 bytes are needed and 268435456 of the allowed 268435456/);
  });

  test("many tensors that are each allowed are refused together", () => {
    const views = Array.from({ length: 6 }, (_, i) => view(int(i), [int(2 ** 16)], [int(0)]));
    const file = torchFile(pickle(tuple(...views)), { 0: floats(1, 2, 3, 4, 5, 6) });
    // Each takes 262,144 bytes.
    const error = errorOf(() => decodePt(file, "evil.pt", { maxBytes: 900_000 }));
    expect(error).toBeInstanceOf(MemoryLimitError);
    expect(error.place).toBe('tensor "3"');
  });

  test("tensors of one element count for what a tensor takes, not for the few bytes that name them", () => {
    const bytes = new Uint8Array(200);
    const views = Array.from(bytes, (_, i) => tensor(storage("ByteStorage", "0", int(200)), int(i), [], []));
    const file = torchFile(pickle(tuple(...views)), { 0: bytes });
    expect(errorOf(() => decodePt(file, "evil.pt", { maxBytes: 100_000 }))).toBeInstanceOf(MemoryLimitError);
    expect(decodePt(file, "evil.pt", { maxBytes: 200_000 })).toHaveLength(200);
  });
});

// Each of these takes minutes, or all memory, where work grows with the square of the file or faster.
describe("few bytes that are used again and again", () => {
  const one = tensor(sixFloats, int(0), [], []);
  const file = (...pieces: readonly Piece[]) => torchFile(pickle(...pieces), { 0: floats(1, 2, 3, 4, 5, 6) });
  const times = (count: number, piece: Piece): Piece => {
    const bytes = bytesOf(piece);
    return Uint8Array.from({ length: count * bytes.length }, (_, i) => bytes[i % bytes.length]);
  };
  /** A value in dicts in each other, each with the same key, of so many characters. */
  const deep = (depth: number, characters: number, value: Piece): Piece => [
    [text("x".repeat(characters)), "q", 0, "0", one, "q", 1, "0"],
    times(depth, ["}", "h", 0]),
    [value, times(depth, "s")],
  ];
  const manyOnes: Piece = ["](", times(100_000, ["h", 1]), "e"];

  test("long keys in each other are read, and make no name longer than the longest text", () => {
    for (const archive of [file(deep(150, 4_000_000, ["h", 1])), file(deep(100, 100_000, manyOnes))]) {
      expect(decodePt(archive)).toBeTypeOf("object");
      expect(errorOf(() => decodePtState(archive))).toBeInstanceOf(MemoryLimitError);
    }
  });

  test("an error deep among long keys names their beginning", () => {
    const error = errorOf(() => decodePt(file(deep(150, 4_000_000, global("torch", "FloatStorage")))));
    expect(error.place).toBe(`data.pkl, "${"x".repeat(60)}..."`);
  });

  test("a long key that occurs often is looked at once", () => {
    const key = text("é.".repeat(300_000));
    const value = decodePt(file([key, "q", 0, "0"], "}(", times(100_000, ["h", 0, "N"]), "u"));
    expect(Object.keys(value as object)).toHaveLength(1);
  });

  test("a dict whose entries have no names counts wherever it occurs", () => {
    const archive = file("}(", times(100_000, "NN"), "uq", 0, "0](", times(100_000, ["h", 0]), "e");
    expect(errorOf(() => decodePtState(archive))).toBeInstanceOf(MemoryLimitError);
    expect(decodePt(archive)).toHaveLength(100_000);
  });

  test.each<readonly [string, Piece, number]>([
    [
      "a billion laughs",
      [
        ["(", times(10, ["K", 7]), "tq", 0, "0"],
        Array.from({ length: 30 }, (_, i) => ["(", times(10, ["h", i]), "tq", i + 1, "0"]),
        ["h", 30],
      ],
      31,
    ],
    ["a pair with a dict", tuple(dict([text("a"), int(1)]), int(2)), 0],
    ["a pair with a tensor", tuple(one, int(2)), 0],
    ["a megabyte of bytes", ["B", u32(2 ** 20), new Uint8Array(2 ** 20)], 0],
  ])("a key that is %s is not spelled out", (_, key, place) => {
    const value = decodePt(file(key, "q", place, "0", "}(", times(10_000, ["h", place, "N"]), "u"));
    expect([...(value as Map<unknown, null>).values()]).toEqual([null]);
  });

  test("a name of the archive that is long stands in front of every storage for nothing", () => {
    const longName = "x".repeat(60_000);
    const id = tuple(text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"), int(6));
    const archive = zipSync({
      [`${longName}/data.pkl`]: [pickle([id, "q", 0, "0"], times(200_000, ["h", 0, "Q0"]), "N"), { level: 0 }],
      [`${longName}/data/0`]: [floats(1, 2, 3, 4, 5, 6), { level: 0 }],
    });
    expect(decodePt(archive)).toBe(null);
  });
});

describe("bombs", () => {
  /** A list, remembered as 0; then lists of ten times the one before, remembered as 1, 2 and so on. */
  const laughs = (levels: number): Piece => [
    ["](", Array(10).fill(int(7)), "eq", 0],
    Array.from({ length: levels }, (_, i) => ["0](", Array(10).fill(["h", i]), "eq", i + 1]),
  ];

  test("a billion laughs stay shared: thirty levels of ten are thirty-one arrays", () => {
    let level = decodePt(torchFile(pickle(laughs(30)))) as readonly gd.io.PtValue[];
    for (let i = 0; i < 30; i++) {
      expect(level).toHaveLength(10);
      expect(level[0]).toBe(level[9]);
      level = level[0] as readonly gd.io.PtValue[];
    }
    expect(level).toEqual(Array(10).fill(7));
  });

  test("looking for tensors in a billion laughs ends", () => {
    expect(errorOf(() => decodePtState(torchFile(pickle(laughs(30)))))).toBeInstanceOf(MemoryLimitError);
  });

  test("a list that holds itself is refused, by either reader", () => {
    const file = torchFile(pickle("]q", 0, "h", 0, "a"));
    expect(errorOf(() => decodePt(file)).message).toMatch(/a list holds itself/);
    expect(errorOf(() => decodePtState(file))).toBeInstanceOf(MemoryLimitError);
    const throughDict = torchFile(pickle("}q", 0, text("a"), ["]", "h", 0, "a"], "s"));
    expect(errorOf(() => decodePt(throughDict)).message).toMatch(/a dict holds itself/);
  });

  test("lists ten thousand deep are refused without a deep stack", () => {
    const deep = torchFile(pickle(Array(10_000).fill("]"), Array(9_999).fill("a")));
    expect(errorOf(() => decodePt(deep)).message).toMatch(/more than 200 deep in each other/);
    expect(errorOf(() => decodePtState(deep))).toBeInstanceOf(MemoryLimitError);
    const marks = torchFile(pickle(Array(10_000).fill("("), Array(10_000).fill("t")));
    expect(errorOf(() => decodePt(marks)).message).toMatch(/more than 200 deep/);
  });

  test.each<readonly [string, Piece]>([
    [
      "OrderedDicts of one long list",
      [
        ["](", Array(10_000).fill(tuple(0x88, 0x88)), "eq", 0, "0"],
        Array(1_000).fill([call(global("collections", "OrderedDict"), ["h", 0]), "0"]),
        "N",
      ],
    ],
    [
      "sets of one long list",
      [
        ["](", Array(20_000).fill(0x88), "eq", 0, "0"],
        Array(1_000).fill([call(global("builtins", "set"), ["h", 0]), "0"]),
        "N",
      ],
    ],
    [
      "sizes of one long list",
      [
        ["](", Array(20_000).fill(["K", 1]), "eq", 0, "0"],
        Array(1_000).fill([call(global("torch", "Size"), ["h", 0]), "0"]),
        "N",
      ],
    ],
    [
      "bytes of one long text",
      [
        [text("x".repeat(20_000)), "q", 0, "0"],
        Array(1_000).fill([call(global("_codecs", "encode"), ["h", 0], text("latin1")), "0"]),
        "N",
      ],
    ],
    ["two hundred thousand empty lists", ["(", Array(200_000).fill("]"), "l"]],
  ])("%s are refused by what they would make", (_, pieces) => {
    expect(refusal(pieces)).toBeInstanceOf(MemoryLimitError);
  });

  test.each<readonly [string, Piece, RegExp]>([
    ["a text of 4 GB", ["X", u32(2 ** 32 - 1), "x"], /4294967295 bytes should follow, and 2 are left/],
    ["a text of 2^63 bytes", [0x8d, u64(2n ** 63n), "x"], /9223372036854776000 bytes should follow/],
    ["bytes of 2^64 - 1", [0x8e, u64(2n ** 64n - 1n), "x"], /bytes should follow/],
    ["an integer of 2 GB", [0x8b, u32(2 ** 31 - 1), "x"], /an integer of 2147483647 bytes is longer than/],
    ["a frame of 2^60 bytes", [0x95, u64(2n ** 60n)], /a frame of \d+ bytes begins/],
    ["a memo at 2^32 - 1", ["Nr", u32(2 ** 32 - 1)], /the memo is written at 4294967295, and it has 0 entries/],
    ["a memo that is empty", ["h", 0], /the memo is read at 0, and it has 0 entries/],
    ["a name without an end", ["c", "x".repeat(1000)], /a name has no end within 256 bytes/],
    ["a text that is not UTF-8", ["X", u32(2), 0xc3, 0x28], /its 2 bytes are not UTF-8 text/],
    ["half of a surrogate pair", ["X", u32(3), 0xed, 0xa0, 0x80], /not UTF-8 text/],
    ["nothing to pop", "0", /a value is used, and there is none/],
    ["nothing marked", "e", /a mark is used, and there is none/],
    ["a mark that hides what is below", ["N(", 0x85], /a value is used, and there is none/],
    ["an item for a number", [int(1), int(2), "a"], /items are added to the number 1, not to a list/],
    ["an entry for a list", ["]", int(1), int(2), "s"], /items are added to a list of 0 items, not to a dict/],
    ["a key without a value", ["}(", int(1), "u"], /a dict gets a key without a value/],
    ["a dict of three", ["(", int(1), int(2), int(3), "d"], /a dict has a key without a value/],
    ["two values", "NN", /it ends with 2 values and 0 marks/],
    ["a mark that is left", "N(", /it ends with 1 values and 1 marks/],
    ["protocol 6", [0x80, 6, "N"], /protocol 6 is unknown/],
    ["an opcode of protocol 0", "I1\n", /the byte 0x49 is no opcode/],
    ["an opcode that there is none of", [0xff], /the byte 0xff is no opcode/],
    ["a global named by numbers", [int(1), int(2), 0x93], /named by the number 1 and the number 2/],
    [
      "arguments that are no tuple",
      [global("torch", "Size"), "]R"],
      /called with a list of 0 items instead of a tuple/,
    ],
    ["an OrderedDict of numbers", call(global("collections", "OrderedDict"), ["(", int(1), "l"]), /else than pairs/],
    ["an OrderedDict of a number", call(global("collections", "OrderedDict"), int(1)), /made of something else/],
    ["a set of a text", call(global("builtins", "set"), text("abc")), /a set is made of something else/],
    ["a size of a text", call(global("torch", "Size"), tuple(text("1"))), /holds no whole numbers/],
    ["a device without a name", call(global("torch", "device"), int(1)), /has no name/],
    ["bytes in UTF-8", call(global("_codecs", "encode"), text("x"), text("utf8")), /another end than bytes/],
    [
      "bytes beyond 255",
      call(global("_codecs", "encode"), text("aĀ"), text("latin1")),
      /character 1 of a text of bytes/,
    ],
    ["bytes of a number", call(global("__builtin__", "bytes"), int(7)), /made of something else than text/],
    ["a defaultdict that calls", call(global("collections", "defaultdict"), text("x")), /is no class/],
  ])("%s is refused", (_, pieces, message) => {
    expect(refusal(pieces).message).toMatch(message);
  });

  test("bytes after the end of the pickle, and a pickle of more than 32 MiB, are refused", () => {
    expect(errorOf(() => decodePt(torchFile(bytesOf(pickle("N"), "N")))).message).toMatch(/bytes follow its end/);
    const long = new Uint8Array(2 ** 25 + 1);
    expect(errorOf(() => decodePt(torchFile(long)))).toBeInstanceOf(MemoryLimitError);
    // Compressed to a thousandth, it is still that long.
    expect(errorOf(() => decodePt(torchFile(long, {}, { level: 6 })))).toBeInstanceOf(MemoryLimitError);
  });
});

describe("other formats", () => {
  test.each<readonly [string, Uint8Array, RegExp]>([
    [
      "PyTorch's before 1.6",
      goldenFile("refused/legacy.pt"),
      /a bare pickle.*torch\.save\(torch\.load\(path\), path\)/,
    ],
    ["a tar archive", bytesOf(new Uint8Array(257), "ustar"), /a tar archive, the format of PyTorch before 0\.2/],
    ["TorchScript", goldenFile("refused/torchscript.pt"), /a TorchScript program.*torch\.jit\.load/],
    ["safetensors", gd.io.encodeSafetensors(new Map()), /looks like a safetensors file/],
    ["a NumPy array", goldenFile("f4.npy"), /a NumPy array/],
    ["NumPy arrays", goldenFile("stored.npz"), /holds no data\.pkl/],
    ["nothing", new Uint8Array(0), /no ZIP archive/],
    ["text", bytesOf("<!DOCTYPE html>"), /no ZIP archive/],
  ])("%s is recognized", (_, bytes, message) => {
    expect(errorOf(() => decodePt(bytes)).message).toMatch(message);
  });

  test("an archive of a newer version is refused", () => {
    const file = torchFile(pickle("N"), {}, { entries: { version: "11\n" } });
    expect(errorOf(() => decodePt(file)).message).toMatch(
      /the version of the archive is "11\\u\{a\}", and 10 is the newest/,
    );
  });
});

describe("files that are cut", () => {
  const files = readdirSync(goldenFolder).filter((name) => name.endsWith(".pt"));

  test.each(files)("%s is refused at every tenth byte", (name) => {
    const bytes = goldenFile(name);
    for (let length = 0; length < bytes.length; length += 10) {
      errorOf(() => decodePt(bytes.subarray(0, length), name));
    }
  });

  test("a pickle is refused at every byte", () => {
    const whole = pickle(dict([text("w"), tensor(sixFloats, int(0), [int(6)], [int(1)])]));
    for (let length = 0; length < whole.length; length++) {
      errorOf(() => decodePt(torchFile(whole.subarray(0, length), { 0: floats(1, 2, 3, 4, 5, 6) })));
    }
  });
});
