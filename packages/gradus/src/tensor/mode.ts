// Whether operations record gradients (`torch.no_grad`, `torch.enable_grad`).

/** What is in force: the innermost entry. Async bodies may end in another order than they began, each ends its own. */
const modes: { readonly recording: boolean }[] = [];

/** Whether operations record gradients here and now (`torch.is_grad_enabled`). */
export function isGradEnabled(): boolean {
  return modes.at(-1)?.recording ?? true;
}

function within<T>(recording: boolean, body: () => T): T {
  const mode = { recording };
  const end = (): void => {
    modes.splice(modes.lastIndexOf(mode), 1);
  };
  modes.push(mode);
  let result: T;
  try {
    result = body();
  } catch (error) {
    end();
    throw error;
  }
  if (result instanceof Promise) return result.finally(end) as T;
  end();
  return result;
}

/** Runs a function, which may be async, without recording gradients (`torch.no_grad`). */
export function noGrad<T>(body: () => T): T {
  return within(false, body);
}

/** Runs a function with gradients recorded, also inside `noGrad` (`torch.enable_grad`). */
export function enableGrad<T>(body: () => T): T {
  return within(true, body);
}
