/**
 * Asks the proxy once a second, for as long as the page is open, and says when
 * it has no answer.
 */

const PERIOD_MS = 1_000;
const TIMEOUT_MS = 4_000;

/** An answer that is none of ours, or an error of HTTP. */
class AnswerError extends Error {}

/**
 * @param {{
 *   paths: () => readonly string[],
 *   onAnswer: (answers: unknown[]) => void,
 *   onLost: (lost: { since: number, reason: string }) => void,
 * }} options `paths` says what to ask now; `since` is when the last answer came
 */
export async function startFeed({ paths, onAnswer, onLost }) {
  let lastAnswerAt = Date.now();
  for (;;) {
    const begun = performance.now();
    try {
      const answers = await Promise.all(paths().map(getJson));
      draw(onAnswer, answers);
      lastAnswerAt = Date.now();
    } catch (error) {
      onLost({ since: lastAnswerAt, reason: reasonOf(error) });
    }
    const rest = PERIOD_MS - (performance.now() - begun);
    await new Promise((resolve) => setTimeout(resolve, Math.max(50, rest)));
  }
}

/** What goes wrong here is not the proxy's fault, and must not look like its silence. */
function draw(onAnswer, answers) {
  try {
    onAnswer(answers);
  } catch (error) {
    console.error(error);
    throw new AnswerError("this page can't show what it answers");
  }
}

/** @param {string} path */
export async function getJson(path) {
  const response = await fetch(path, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: "application/json" },
  });
  if (response.status === 401) {
    throw new AnswerError(
      "it asks for a token: open this address with ?token= and the http_token of its configuration",
    );
  }
  if (!response.ok) throw new AnswerError(`it answers ${response.status}`);
  return await response.json();
}

function reasonOf(error) {
  if (error instanceof AnswerError) return error.message;
  if (error?.name === "TimeoutError") {
    return `no answer within ${TIMEOUT_MS / 1e3} seconds`;
  }
  return "the connection fails";
}
