// Rates that fall along a cosine (Loshchilov and Hutter, 2017): once, or again and again from the top.

import { ArgumentError } from "../../tensor/index.ts";
import { checkEpochs } from "./decay.ts";
import { forEachGroup, LRScheduler, type ScheduledOptimizer, type SchedulerState } from "./scheduler.ts";

/** Options of `CosineAnnealingLR`. */
export interface CosineAnnealingOptions {
  /** The lowest rate. Default 0. */
  readonly etaMin?: number;
}

/**
 * Half a cosine from the first rate down to `etaMin` in `tMax` epochs, and up again.
 *
 * @example
 * const scheduler = new optim.CosineAnnealingLR(optimizer, epochs);
 */
export class CosineAnnealingLR extends LRScheduler {
  private readonly etaMin: number;

  /**
   * @param tMax epochs from the highest rate to the lowest
   * @throws ArgumentError unless it is an integer from 1
   */
  constructor(
    optimizer: ScheduledOptimizer,
    readonly tMax: number,
    { etaMin = 0 }: CosineAnnealingOptions = {},
  ) {
    super(optimizer);
    checkEpochs("CosineAnnealingLR", "tMax", tMax);
    this.etaMin = etaMin;
  }

  protected override rate(current: number, base: number): number {
    const { lastEpoch, tMax, etaMin } = this;
    if (lastEpoch === 0) return current;
    // From the bottom no factor leads up.
    if ((lastEpoch - 1 - tMax) % (2 * tMax) === 0) {
      return current + ((base - etaMin) * (1 - Math.cos(Math.PI / tMax))) / 2;
    }
    const height = (epoch: number): number => 1 + Math.cos((Math.PI * epoch) / tMax);
    return (height(lastEpoch) / height(lastEpoch - 1)) * (current - etaMin) + etaMin;
  }
}

/** Options of `CosineAnnealingWarmRestarts`. */
export interface WarmRestartsOptions extends CosineAnnealingOptions {
  /** How many times as long each fall is as the one before, an integer from 1. Default 1. */
  readonly tMult?: number;
}

/** The state of `CosineAnnealingWarmRestarts`. */
export interface WarmRestartsState extends SchedulerState {
  /** Epochs since the last restart. */
  readonly tCur: number;
  /** Epochs between the last restart and the next. */
  readonly tI: number;
}

/** Half a cosine down to `etaMin` in `t0` epochs, and from the top again, each time `tMult` times as long. */
export class CosineAnnealingWarmRestarts extends LRScheduler<WarmRestartsState> {
  private readonly tMult: number;
  private readonly etaMin: number;
  private tCur = 0;
  private tI: number;

  /**
   * @param t0 epochs to the first restart
   * @throws ArgumentError unless it and `tMult` are integers from 1
   */
  constructor(
    optimizer: ScheduledOptimizer,
    readonly t0: number,
    { tMult = 1, etaMin = 0 }: WarmRestartsOptions = {},
  ) {
    super(optimizer);
    checkEpochs("CosineAnnealingWarmRestarts", "t0", t0);
    checkEpochs("CosineAnnealingWarmRestarts", "tMult", tMult);
    this.tMult = tMult;
    this.etaMin = etaMin;
    this.tI = t0;
    this.apply();
  }

  override step(): void {
    this.tCur++;
    if (this.tCur >= this.tI) {
      this.tCur -= this.tI;
      this.tI *= this.tMult;
    }
    super.step();
  }

  override begin(): void {
    this.tCur = 0;
    this.tI = this.t0;
    super.begin();
  }

  protected override rate(_current: number, base: number): number {
    return this.etaMin + ((base - this.etaMin) * (1 + Math.cos((Math.PI * this.tCur) / this.tI))) / 2;
  }

  override stateDict(): WarmRestartsState {
    return { ...super.stateDict(), tCur: this.tCur, tI: this.tI };
  }

  override loadStateDict(state: WarmRestartsState): void {
    super.loadStateDict(state);
    this.tCur = state.tCur;
    this.tI = state.tI;
  }
}

/** Options of `SWALR`. */
export interface SWALROptions {
  /** In how many epochs the rate gets there; 0 for at once. Default 10. */
  readonly annealEpochs?: number;
  /** Default "cos". */
  readonly annealStrategy?: "cos" | "linear";
}

const progress = {
  cos: (part: number): number => (1 - Math.cos(Math.PI * part)) / 2,
  linear: (part: number): number => part,
} as const;

/** From whatever rate there is to a fixed one: for averaging weights (`torch.optim.swa_utils.SWALR`). */
export class SWALR extends LRScheduler {
  private readonly rates: readonly number[];
  private readonly annealEpochs: number;
  private readonly annealStrategy: "cos" | "linear";

  /** @param swaLr the rate in the end, one for all groups or one for each */
  constructor(optimizer: ScheduledOptimizer, swaLr: number | readonly number[], options: SWALROptions = {}) {
    super(optimizer);
    const { annealEpochs = 10, annealStrategy = "cos" } = options;
    if (!(Number.isInteger(annealEpochs) && annealEpochs >= 0)) {
      throw new ArgumentError("SWALR", `annealEpochs is ${annealEpochs}`, "Use an integer from 0.");
    }
    this.rates = forEachGroup("SWALR", "swaLr", swaLr, this.groups.length);
    this.annealEpochs = annealEpochs;
    this.annealStrategy = annealStrategy;
    this.apply();
  }

  protected override rate(current: number, _base: number, index: number): number {
    const epoch = this.annealEpochs === 0 ? Math.max(1, this.lastEpoch) : this.lastEpoch;
    const along = (at: number): number => {
      return progress[this.annealStrategy](Math.max(0, Math.min(1, at / Math.max(1, this.annealEpochs))));
    };
    const target = this.rates[index];
    const [before, now] = [along(epoch - 1), along(epoch)];
    // Where it would have started from to be here now.
    const start = before === 1 ? target : (current - before * target) / (1 - before);
    return target * now + start * (1 - now);
  }
}
