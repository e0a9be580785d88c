import { agentgateway } from './agentgateway.ts';
import type { Format } from './format.ts';
import { litellmGuardrail } from './litellm-guardrail.ts';
import { openaiModerations } from './openai-moderations.ts';

/** Every foreign format that the server answers. */
export const FORMATS: readonly Format[] = [openaiModerations, litellmGuardrail, agentgateway];
