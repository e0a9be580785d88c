import { agentgateway } from './agentgateway.ts';
import type { Format } from './format.ts';
import { kserve } from './kserve.ts';
import { litellmGuardrail } from './litellm-guardrail.ts';
import { openaiModerations } from './openai-moderations.ts';
import { teiPredict } from './tei-predict.ts';
import { vllmClassify } from './vllm-classify.ts';

/** Every foreign format that the server answers. */
export const FORMATS: readonly Format[] = [
  openaiModerations,
  litellmGuardrail,
  kserve,
  vllmClassify,
  teiPredict,
  agentgateway,
];
