/** A call that the rewriter can't answer: candidates of another edit space, options out of range, no pairs. */
export class RewriterError extends Error {
  override readonly name = 'RewriterError';
}

/** A policy's file that is missing, damaged or of another shape. */
export class PolicyFileError extends Error {
  override readonly name = 'PolicyFileError';
}
