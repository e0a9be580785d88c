/** Euclidean norm over all arrays together. */
function globalNorm(gradients: readonly Float32Array[]): number {
  let sum = 0;
  for (const array of gradients) for (let i = 0; i < array.length; i++) sum += array[i]! * array[i]!;
  return Math.sqrt(sum);
}

/** Scales all arrays in place so that their global norm is at most `limit` (Pascanu et al., arXiv 1211.5063). Returns the norm before. */
export function clipByGlobalNorm(gradients: readonly Float32Array[], limit: number): number {
  const norm = globalNorm(gradients);
  if (norm > limit) {
    const scale = limit / norm;
    for (const array of gradients) for (let i = 0; i < array.length; i++) array[i]! *= scale;
  }
  return norm;
}
