import { GRADIENT_RULES } from './gradient-rules.ts';
import { type Graph, reachable } from './graph.ts';
import type { OpName } from './op-table.ts';
import { add } from './ops.ts';
import { type Node, sameShape, showShape, type Tensor } from './tensor.ts';

/**
 * Reverse-mode differentiation: extends the graph with nodes that compute d`loss`/d`wrt`, one tensor per entry of
 * `wrt`, of its shape. `loss` is a float32 scalar. Throws when the loss does not depend on an entry.
 */
export function gradients(graph: Graph, loss: Tensor, wrt: readonly Tensor[]): readonly Tensor[] {
  if (!sameShape(loss.shape, []) || loss.dtype !== 'float32') {
    throw new TypeError(`a loss is a float32 scalar, not ${loss.dtype} ${showShape(loss.shape)}`);
  }
  const forward = reachable(graph, [loss]);
  const needed = dependents(forward, wrt);
  const adjoint = new Map<Tensor, Tensor>([[loss, graph.constant(1)]]);
  for (const node of forward.toReversed()) {
    const dy = adjoint.get(node.outputs[0] as Tensor);
    if (!dy || !needed.has(node)) continue;
    const rule = GRADIENT_RULES[node.op] as (node: Node<OpName>, dy: Tensor) => readonly (Tensor | undefined)[];
    for (const [index, gradient] of rule(node, dy).entries()) {
      const operand = node.inputs[index] as Tensor;
      if (!gradient || operand.dtype !== 'float32') continue;
      const known = adjoint.get(operand);
      adjoint.set(operand, known ? add(known, gradient) : gradient);
    }
  }
  return wrt.map((tensor) => {
    const gradient = adjoint.get(tensor);
    if (!gradient) throw new TypeError(`the loss does not depend on ${tensor.name}`);
    return gradient;
  });
}

/** Nodes through which the loss depends on `wrt`; the others need no gradient. What a rule makes and nothing uses is pruned by the writer. */
function dependents(forward: readonly Node[], wrt: readonly Tensor[]): ReadonlySet<Node> {
  const sources = new Set(wrt);
  const nodes = new Set<Node>();
  for (const node of forward) {
    if (node.inputs.some((tensor) => sources.has(tensor) || (tensor.node && nodes.has(tensor.node)))) nodes.add(node);
  }
  return nodes;
}
