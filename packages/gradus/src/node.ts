// What Gradus offers in Node only: files, terminals and signals. `import { loadSafetensors } from "gradus/node"`.

export { AtomicWriteError, writeFileAtomic, writeFileAtomicSync } from "./io/atomic-file.ts";
export { CheckpointStore, type LoadedCheckpoint } from "./io/checkpoint-store.ts";
export { loadNpy, loadNpz, saveNpy, saveNpz } from "./io/numpy-file.ts";
export { loadPt, loadPtState } from "./io/pt-file.ts";
export {
  inspectSafetensors,
  loadSafetensors,
  type SafetensorsEntry,
  type SafetensorsInfo,
  type SaveSafetensorsOptions,
  saveSafetensors,
} from "./io/state-file.ts";
export { type SaveCheckpointsOptions, saveCheckpoints } from "./train/callbacks/checkpoints.ts";
export { INTERRUPTED, INTERRUPTED_EXIT_CODE, stopOnInterrupt } from "./train/callbacks/interrupt.ts";
export { type LogIntervalOptions, logMetrics } from "./train/callbacks/metrics-file.ts";
export { showProgress } from "./train/callbacks/progress-bar.ts";
export { type ReportOptions, writeReport } from "./train/callbacks/report-file.ts";
export { RunDirectory, type RunDirectoryOptions } from "./train/callbacks/run-directory.ts";
export { tensorBoard } from "./train/callbacks/tensor-board.ts";
export { EventWriter, EventWriterError } from "./train/event-writer.ts";
export { type MetricsEntry, MetricsLog, MetricsLogError, type MetricsLogOptions } from "./train/metrics-log.ts";
export { loadImage, saveImage } from "./train/picture-file.ts";
export { createProgress, type Progress, type ProgressOptions } from "./train/progress.ts";
export {
  type ConfusionData,
  type ReportChart,
  type ReportCurve,
  type ReportData,
  ReportDataError,
  type ReportEvaluation,
  type ReportFilters,
  type ReportMistake,
  type ReportPicture,
  type ReportPoint,
  type ReportSection,
  type ReportTable,
  renderReport,
} from "./train/report.ts";
