// The printed form of a tensor, as PyTorch prints it: aligned columns, four decimals, scientific where the range asks
// for it, and an ellipsis in the middle of what is too long (more than 1,000 elements).

import { type DType, isFloat, sizeOf } from "../graph/index.ts";

const decimals = 4;
const summarizeFrom = 1000;
const edge = 3;

type Formatter = (value: number) => string;

function scientific(value: number): string {
  return value.toExponential(decimals).replace(/e([+-])(\d)$/, "e$10$2");
}

function special(value: number): string {
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

function floatFormatter(values: readonly number[]): Formatter {
  const finite = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
  const whole = values.every((value) => !Number.isFinite(value) || Number.isInteger(value));
  const largest = Math.max(0, ...finite);
  const smallest = Math.min(Number.POSITIVE_INFINITY, ...finite);
  const wide = largest / smallest > 1000 || largest > 1e8 || (!whole && smallest < 1e-4);
  const magnitude = (value: number): string => {
    if (wide) return scientific(value);
    return whole ? `${value.toFixed(0)}.` : value.toFixed(decimals);
  };
  const text = (value: number): string => (Object.is(value, -0) ? `-${magnitude(0)}` : magnitude(value));
  return (value) => (Number.isFinite(value) ? text(value) : special(value));
}

/** Positions along a dimension that are shown, with a gap marked by -1. */
function shown(extent: number, summarize: boolean): number[] {
  if (!summarize || extent <= 2 * edge) return Array.from({ length: extent }, (_, i) => i);
  return [0, 1, 2, -1, extent - 3, extent - 2, extent - 1];
}

/**
 * @param name what stands in front: "tensor" or "Parameter"
 * @param suffix further facts at the end, such as "requiresGrad=true"
 */
export function formatTensor(
  values: ArrayLike<number>,
  shape: readonly number[],
  dtype: DType,
  name = "tensor",
  suffix: readonly string[] = [],
): string {
  const size = sizeOf(shape);
  const summarize = size > summarizeFrom;
  const picked: number[] = [];
  const collect = (axis: number, offset: number): void => {
    if (axis === shape.length) {
      picked.push(values[offset]);
      return;
    }
    for (const i of shown(shape[axis], summarize)) if (i >= 0) collect(axis + 1, offset * shape[axis] + i);
  };
  collect(0, 0);
  const format: Formatter = isFloat(dtype)
    ? floatFormatter(picked)
    : dtype === "bool"
      ? (value) => (value ? "true" : "false")
      : (value) => value.toFixed(0);
  // As in PyTorch, zeros and what is not finite do not widen the columns of floats.
  const measured = isFloat(dtype) ? picked.filter((value) => value !== 0 && Number.isFinite(value)) : picked;
  const width = Math.max(1, ...measured.map((value) => format(value).length));
  const indent = `${name}(`.length;
  const render = (axis: number, offset: number): string => {
    if (axis === shape.length) return format(values[offset]).padStart(shape.length === 0 ? 0 : width);
    const isRow = axis === shape.length - 1;
    const parts = shown(shape[axis], summarize).map((i) =>
      i < 0 ? (isRow ? " ..." : "...") : render(axis + 1, offset * shape[axis] + i),
    );
    if (isRow) return `[${wrap(parts, width, indent + axis)}]`;
    const blank = "\n".repeat(shape.length - axis - 1);
    return `[${parts.join(`,${blank}${" ".repeat(indent + axis + 1)}`)}]`;
  };
  const facts: string[] = [];
  if (size === 0 && shape.length > 1) facts.push(`size=[${shape.join(", ")}]`);
  const usual = dtype === "float32" || dtype === "bool" || (dtype === "int32" && size > 0);
  if (!usual) facts.push(`dtype=${dtype}`);
  const body = size === 0 ? "[]" : render(0, 0);
  return `${name}(${[body, ...facts, ...suffix].join(", ")})`;
}

/** Lines of about 80 columns: the bracket in front is not counted, as in PyTorch. */
function wrap(parts: readonly string[], width: number, indent: number): string {
  const perLine = Math.max(1, Math.floor((80 - indent) / (width + 2)));
  const lines: string[] = [];
  for (let i = 0; i < parts.length; i += perLine) lines.push(parts.slice(i, i + perLine).join(", "));
  return lines.join(`,\n${" ".repeat(indent + 1)}`);
}
