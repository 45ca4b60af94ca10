/* Sends a body, and shows the answer. */
async function post(url, type, body) {
  const started = performance.now();
  const response = await fetch(url, {method: "POST", headers: {"Content-Type": type}, body, cache: "no-store"});
  const text = await response.text();
  let document = {};
  try { document = JSON.parse(text) ?? {}; } catch { /* a proxy's own page */ }
  return {response, text, document, elapsed: performance.now() - started};
}

/* On one line if it is short. */
function pretty(value) {
  const line = JSON.stringify(value) ?? "";
  return line.length <= 60 ? line : JSON.stringify(value, null, 2);
}

function showAnswer({response, text, document, elapsed}) {
  const metadata = document.metadata ?? {};
  const parts = [`${response.status} ${response.statusText}`.trim(), `${elapsed.toFixed(1)} ms here`];
  if (metadata.inference_time_ms !== undefined) parts.push(`${metadata.inference_time_ms} ms in the server`);
  if (metadata.cache) parts.push(`cache ${metadata.cache}`);
  if (metadata.request_id) parts.push(`request ${metadata.request_id}`);
  id("answer").hidden = false;
  id("outcome").textContent = parts.join(" · ");
  id("predictions").hidden = !document.predictions;
  id("predictions").textContent = pretty(document.predictions);
  id("whole").textContent = Object.keys(document).length ? JSON.stringify(document, null, 2) : text;
}
