// A line search that ends where the loss has fallen enough and its slope has flattened (Nocedal and Wright, 2006, algorithms
// 3.5 and 3.6, with cubic interpolation, equation 3.59), with the choices of `torch.optim.LBFGS`. It works on numbers: how a
// point is evaluated is the caller's.

/** A point on the line: how far, the loss there and its slope along the line. What else belongs to it is the caller's. */
export interface LinePoint {
  readonly t: number;
  readonly loss: number;
  readonly slope: number;
}

export interface LineSearchOptions {
  /** How far the first trial goes. */
  readonly t: number;
  /** The largest component of the direction: brackets shorter than `toleranceChange` in it are not searched. */
  readonly largest: number;
  readonly toleranceChange: number;
}

/** Of the first slope, how much fall a step must bring at least. */
const sufficientDecrease = 1e-4;
/** Of the first slope, how much may be left. */
const curvature = 0.9;
const mostTrials = 25;

/** Where the cubic through two points with their slopes has its minimum, within bounds. */
export function cubicMinimum(
  a: LinePoint,
  b: LinePoint,
  low: number = Math.min(a.t, b.t),
  high: number = Math.max(a.t, b.t),
): number {
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.t - b.t);
  const square = d1 * d1 - a.slope * b.slope;
  const d2 = Math.sqrt(square);
  const [left, right] = a.t <= b.t ? [a, b] : [b, a];
  const t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
  // There is no minimum if the square is negative, and none to be known where a loss is NaN or infinite.
  return Number.isFinite(t) ? Math.min(Math.max(t, low), high) : (low + high) / 2;
}

/**
 * Searches along a line.
 * @param start the point where the line begins, t = 0, with a negative slope
 * @param evaluate the point at a distance
 * @returns the point found, and how many were evaluated
 */
export async function strongWolfe<Point extends LinePoint>(
  start: Point,
  evaluate: (t: number) => Promise<Point>,
  { t, largest, toleranceChange }: LineSearchOptions,
): Promise<{ readonly point: Point; readonly evaluations: number }> {
  // A loss that is NaN falls short too.
  const fallsShort = (point: Point): boolean =>
    !(point.loss <= start.loss + sufficientDecrease * point.t * start.slope);
  const isFlat = (point: Point): boolean => Math.abs(point.slope) <= -curvature * start.slope;

  // A bracket that holds a minimum: forwards until the loss rises or the slope turns.
  let before = start;
  let point = await evaluate(t);
  let trials = 0;
  let bracket: [Point, Point] | null = null;
  while (trials < mostTrials) {
    if (fallsShort(point) || (trials > 1 && point.loss >= before.loss)) bracket = [before, point];
    else if (isFlat(point)) return { point, evaluations: trials + 1 };
    else if (point.slope >= 0) bracket = [before, point];
    if (bracket !== null) break;
    const next = cubicMinimum(before, point, point.t + 0.01 * (point.t - before.t), point.t * 10);
    before = point;
    point = await evaluate(next);
    trials++;
  }
  let [best, other] = inOrder(bracket ?? [start, point]);

  // The bracket is made smaller, the lower end staying the best point that there is.
  let hadLittleProgress = false;
  while (trials < mostTrials && Math.abs(other.t - best.t) * largest >= toleranceChange) {
    const [low, high] = [Math.min(best.t, other.t), Math.max(best.t, other.t)];
    let next = cubicMinimum(best, other);
    // Twice in a row near an end, or at it: a tenth into the bracket.
    const margin = 0.1 * (high - low);
    const isNearEnd = Math.min(high - next, next - low) < margin;
    if (isNearEnd && (hadLittleProgress || next >= high || next <= low)) {
      next = Math.abs(next - high) < Math.abs(next - low) ? high - margin : low + margin;
      hadLittleProgress = false;
    } else hadLittleProgress = isNearEnd;
    point = await evaluate(next);
    trials++;
    if (fallsShort(point) || !(point.loss < best.loss)) {
      [best, other] = inOrder([best, point]);
      continue;
    }
    if (isFlat(point)) return { point, evaluations: trials + 1 };
    if (point.slope * (other.t - best.t) >= 0) other = best;
    best = point;
  }
  return { point: best, evaluations: trials + 1 };
}

/** The one with the lower loss first; NaN counts as high. */
function inOrder<Point extends LinePoint>([a, b]: readonly [Point, Point]): [Point, Point] {
  return b.loss < a.loss ? [b, a] : [a, b];
}
