// What a run has measured so far: points of the training curves, results of the test set, and the running means of the
// epoch under way. Plain data, so that a checkpoint can hold it. Leans on nothing.

/** Measurements by name, such as `loss` and `accuracy`. */
export type Measurements = Readonly<Record<string, number>>;

/** What one training step measured. */
export type StepMeasurements = Measurements & {
  /** The loss, which every step has. */
  readonly loss: number;
};

/** One training step, or the mean of an epoch. */
export interface HistoryPoint {
  /** Training steps taken. */
  readonly step: number;
  /** Epochs, in parts: 1.5 is half through the second. */
  readonly epoch: number;
  /** Of that step, or the mean of the epoch. */
  readonly loss: number;
  readonly [metric: string]: number;
}

/** Points beyond which every second one goes. */
const MOST_POINTS = 2_000;

/** A running mean: its sum, and what that is divided by. */
export interface WeightedSum {
  /** Of values times their weights. */
  readonly sum: number;
  /** Of all values. */
  readonly weight: number;
}

/** A history as plain data. */
export interface HistoryState {
  /** Of the steps whose number it divides there are points. */
  readonly every: number;
  /** Points of the training curves. */
  readonly points: readonly HistoryPoint[];
  /** Each epoch's means over the training samples. */
  readonly epochs: readonly HistoryPoint[];
  /** What the test set gave after each epoch. */
  readonly evaluations: readonly HistoryPoint[];
  /** What the means of the epoch under way are made of. */
  readonly running: Readonly<Record<string, WeightedSum>>;
}

const EMPTY: HistoryState = { every: 1, points: [], epochs: [], evaluations: [], running: {} };

/** What a run has measured so far: its curves, the results of the test set, and the means of the epoch under way. */
export class History {
  private state: HistoryState = { ...EMPTY, points: [] };

  /** Points of the training curves: every step at first; when there are thousands, evenly spaced ones. */
  get points(): readonly HistoryPoint[] {
    return this.state.points;
  }

  /** Each epoch's means over the training samples. */
  get epochs(): readonly HistoryPoint[] {
    return this.state.epochs;
  }

  /** What the test set gave after each epoch. */
  get evaluations(): readonly HistoryPoint[] {
    return this.state.evaluations;
  }

  /** The means of the epoch under way. */
  get running(): Measurements {
    return Object.fromEntries(
      Object.entries(this.state.running).map(([name, { sum, weight }]) => [name, sum / weight]),
    );
  }

  /**
   * Takes in a step: a point of the curves, and a part of the epoch's means.
   * @param samples how many samples the values are the means of
   */
  addStep(point: HistoryPoint, samples: number): void {
    const { every, points } = this.state;
    const { step, epoch: _, ...measured } = point;
    const running = { ...this.state.running };
    for (const [name, value] of Object.entries(measured)) {
      const { sum, weight } = running[name] ?? { sum: 0, weight: 0 };
      running[name] = { sum: sum + value * samples, weight: weight + samples };
    }
    this.state = { ...this.state, running };
    if (step % every !== 0) return;
    // In place: a copy at every step would make the whole run quadratic.
    (points as HistoryPoint[]).push(point);
    if (points.length > MOST_POINTS) {
      this.state = { ...this.state, every: every * 2, points: points.filter((one) => one.step % (every * 2) === 0) };
    }
  }

  /** Ends the epoch under way: its means, and what the test set gave. */
  addEpoch(step: number, epoch: number, evaluation: Measurements | null): void {
    const { epochs, evaluations } = this.state;
    const means = { step, epoch, ...this.running } as unknown as HistoryPoint;
    this.state = {
      ...this.state,
      epochs: [...epochs, means],
      evaluations:
        evaluation === null ? evaluations : [...evaluations, { step, epoch, ...evaluation } as unknown as HistoryPoint],
      running: {},
    };
  }

  /** A copy that stays as it is. */
  getState(): HistoryState {
    return { ...this.state, points: [...this.state.points] };
  }

  /** Goes on from a state that `getState` gave. */
  setState(state: HistoryState): void {
    this.state = { ...state, points: [...state.points] };
  }
}
