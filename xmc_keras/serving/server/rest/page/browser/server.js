// Requests to the server.

/** The JSON that the server answers; an Error with a sentence otherwise. */
export async function call(path, body, signal) {
  const options = body === undefined ? { signal } : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  };
  let response, content;
  try {
    response = await fetch(path, options);
    content = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server cannot be reached. Is it still running?");
  }
  let answer = null;
  try {
    answer = JSON.parse(content);
  } catch {
    // Not JSON, or truncated: reported below.
  }
  if (!response.ok || answer === null) {
    const reason = answer?.error || response.statusText || "no JSON";
    const error = new Error(`The server answered ${response.status}: ${reason}`);
    error.status = response.status;
    throw error;
  }
  return answer;
}
