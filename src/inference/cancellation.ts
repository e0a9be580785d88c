import { DuoguardError } from '../errors.ts';

/** Why work was cancelled: the reason the signal carries when it is one of ours, else what kind of reason it is. */
export function cancellation(signal: AbortSignal): DuoguardError {
  const reason: unknown = signal.reason;
  if (reason instanceof DuoguardError) return reason;
  const timedOut = reason instanceof DOMException && reason.name === 'TimeoutError';
  return new DuoguardError(timedOut ? 'deadline_exceeded' : 'client_closed', { cause: reason });
}
