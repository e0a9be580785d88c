/**
 * The game of the paper's theorem (arXiv 2502.05163) with finitely many texts, small enough to be solved directly:
 *
 *   min_theta max_phi  E_{y, x ~ p_phi(.|y)}[-log p_theta(y|x)] - beta KL(p_phi || p_ref) + alpha/2 |theta|^2
 *
 * Labels are -1 and 1 with equal shares, M texts can be written for both, and the guardrail has one logit for each text:
 * p_theta(y|x) = sigmoid(y theta_x). The last term makes its loss strongly convex, as the theorem asks.
 */
export interface FiniteGame {
  /** p_ref(x|y) of the labels -1 and 1, [2][M], all above 0. */
  readonly reference: readonly [readonly number[], readonly number[]];
  readonly beta: number;
  /** Strong convexity of the guardrail's loss. */
  readonly alpha: number;
}

/** p_phi(x|y) of both labels, [2][M]. */
export type FinitePolicy = readonly [readonly number[], readonly number[]];

const LABELS = [-1, 1] as const;

/** -log sigmoid(z) */
const loss = (z: number) => Math.max(0, -z) + Math.log1p(Math.exp(-Math.abs(z)));
const sigmoid = (z: number) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));

/** The generator's best response: p_phi(x|y) proportional to p_ref(x|y) exp(-log p_theta(y|x) / beta). */
export function generatorResponse({ reference, beta }: FiniteGame, theta: readonly number[]): FinitePolicy {
  const respond = (own: readonly number[], y: number): number[] => {
    const logs = own.map((p, x) => Math.log(p) + loss(y * theta[x]!) / beta);
    const highest = Math.max(...logs);
    const weights = logs.map((log) => Math.exp(log - highest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  };
  return [respond(reference[0], LABELS[0]), respond(reference[1], LABELS[1])];
}

/** The guardrail's best response: each logit by Newton's method, as the loss falls apart by texts. */
export function guardrailResponse({ alpha }: FiniteGame, policy: FinitePolicy): number[] {
  return policy[0].map((_, x) => {
    let theta = 0;
    for (let step = 0; step < 100; step++) {
      const { slope, curvature } = derivatives(theta, policy[0][x]! / 2, policy[1][x]! / 2, alpha);
      theta -= slope / curvature;
      if (Math.abs(slope) < 1e-15) break;
    }
    return theta;
  });
}

/** First and second derivative of a loss(-theta) + b loss(theta) + alpha/2 theta^2. */
function derivatives(theta: number, a: number, b: number, alpha: number) {
  const p = sigmoid(theta);
  return { slope: a * p - b * (1 - p) + alpha * theta, curvature: (a + b) * p * (1 - p) + alpha };
}

/** Guardrail and generator answer each other in turn, as the rounds of the game do. The policy after each round. */
export function playFiniteGame(game: FiniteGame, rounds: number): readonly FinitePolicy[] {
  const policies: FinitePolicy[] = [game.reference];
  for (let round = 0; round < rounds; round++) {
    policies.push(generatorResponse(game, guardrailResponse(game, policies[round]!)));
  }
  return policies;
}

/**
 * The equilibrium without playing. With the generator's best response put in, the guardrail minimises the convex
 * F(theta) = beta/2 sum_y log sum_x p_ref(x|y) p_theta(y|x)^(-1/beta) + alpha/2 |theta|^2, here by gradient descent with
 * steps that halve until they descend.
 */
export function solveFiniteGame(game: FiniteGame): FinitePolicy {
  let theta = game.reference[0].map(() => 0);
  let value = guardrailObjective(game, theta);
  for (let step = 0, rate = 1; step < 200_000 && rate > 1e-18; step++) {
    const policy = generatorResponse(game, theta);
    // By the envelope theorem the gradient is the one with the policy held fixed.
    const gradient = theta.map((own, x) => derivatives(own, policy[0][x]! / 2, policy[1][x]! / 2, game.alpha).slope);
    if (Math.hypot(...gradient) < 1e-14) break;
    const next = theta.map((own, x) => own - rate * gradient[x]!);
    const reached = guardrailObjective(game, next);
    if (reached < value) {
      theta = next;
      value = reached;
      rate *= 1.5;
    } else rate /= 2;
  }
  return generatorResponse(game, theta);
}

function guardrailObjective({ reference, beta, alpha }: FiniteGame, theta: readonly number[]): number {
  const generator = reference.map((own, index) => {
    const logs = own.map((p, x) => Math.log(p) + loss(LABELS[index]! * theta[x]!) / beta);
    const highest = Math.max(...logs);
    return (beta / 2) * (highest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - highest), 0)));
  });
  const norm = theta.reduce((sum, own) => sum + own * own, 0);
  return generator[0]! + generator[1]! + (alpha / 2) * norm;
}

/**
 * The product by which the theorem bounds the contraction of a round, 4 / (delta beta gamma^(1/beta + 1) alpha): below 1
 * it promises linear convergence, above it nothing. `delta` is the least probability of the reference, `gamma` the least
 * that a guardrail gives a label.
 */
export function contractionBound({ reference, beta, alpha }: FiniteGame): number {
  const delta = Math.min(...reference[0], ...reference[1]);
  // A best response has alpha |theta_x| <= 1/2, as the slope of the loss is at most the text's weight of 1/2 a label.
  const gamma = sigmoid(-1 / (2 * alpha));
  return 4 / (delta * beta * gamma ** (1 / beta + 1) * alpha);
}

/** Sum over labels of the total variation between two policies. */
export function policyDistance(a: FinitePolicy, b: FinitePolicy): number {
  return a.reduce((sum, own, y) => sum + own.reduce((part, p, x) => part + Math.abs(p - b[y]![x]!) / 2, 0), 0);
}
