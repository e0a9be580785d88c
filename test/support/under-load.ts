import autocannon from 'autocannon';

export interface LoadAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface LoadOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly onAnswer: (answer: LoadAnswer) => void;
}

/** Eight clients post without a pause from before `work` until it is over. */
export async function underLoad(options: LoadOptions, work: () => Promise<void>): Promise<autocannon.Result> {
  const { url, body, onAnswer } = options;
  const headers = { 'content-type': 'application/json', ...options.headers };
  let answered = () => {};
  const begun = new Promise<void>((resolve) => {
    answered = resolve;
  });
  let stop = () => {};
  const finished = new Promise<autocannon.Result>((resolve, reject) => {
    const load = autocannon(
      {
        url,
        connections: 8,
        duration: 600,
        requests: [
          {
            method: 'POST',
            headers,
            body,
            onResponse(status, answer, _context, answerHeaders) {
              answered();
              onAnswer({ status, body: answer, headers: (answerHeaders ?? {}) as Record<string, string> });
            },
          },
        ],
      },
      (error, result) => (error ? reject(error) : resolve(result)),
    );
    stop = () => load.stop();
  });
  await begun;
  try {
    await work();
  } finally {
    stop();
  }
  return finished;
}
