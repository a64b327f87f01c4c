// The page of the target `browser`: carries out one job and posts what it measured, once.
// deploy/web/bench.py writes the job and reads the answer.

import { readBlob, reason } from "./document";
import { breathe } from "./elements";
import { type Interpreter, Runtime } from "./litert";

interface Job {
  warmup: number;
  runs: number;
  inputs: number;
  /** Milliseconds that the timed runs may take together. */
  budget: number;
}

const NS = 1e6;

async function carryOut(): Promise<object> {
  const job: Job = JSON.parse(document.getElementById("document")!.textContent!);
  const loader = new TextDecoder().decode(await readBlob("litert.js"));
  const runtime = await Runtime.start(loader, await readBlob("litert.wasm"));
  const content = await readBlob("file");
  const inputs = await readBlob("inputs");
  const beforeOpening = performance.now();
  const interpreter = await runtime.open(content);
  const init = performance.now() - beforeOpening;
  const size = inputs.length / job.inputs;
  const input = (number: number) => inputs.subarray(number * size, (number + 1) * size);
  const first = timed(() => interpreter.run(input(0)));
  const affordable = Math.max(8, Math.floor(job.budget / Math.max(first, 0.005)));
  say(`${job.runs} runs …`);
  await breathe();
  for (let run = 0; run < Math.min(job.warmup, affordable); run++) interpreter.run(input(0));
  const runs = Math.min(job.runs, affordable);
  const samples = Array.from({ length: runs }, () => timed(() => interpreter.run(input(0))));
  const overhead = Array.from({ length: runs }, () => timed(() => {}));
  return {
    init_ms: init,
    first_ms: first,
    samples_ns: samples.map(toNs),
    overhead_ns: overhead.map(toNs).sort((a, b) => a - b)[runs >> 1],
    outputs: outputsOf(interpreter, job, input),
    browser: navigator.userAgent,
    isolated: crossOriginIsolated,
  };
}

function timed(act: () => void): number {
  const start = performance.now();
  act();
  return performance.now() - start;
}

/** Whole nanoseconds, one at least: the clock has steps. */
function toNs(milliseconds: number): number {
  return Math.max(1, Math.round(milliseconds * NS));
}

/** Base64 of what the file draws of every input, in order. */
function outputsOf(interpreter: Interpreter, job: Job, input: (number: number) => Uint8Array): string {
  const pieces: string[] = [];
  for (let number = 0; number < job.inputs; number++) {
    const bytes = interpreter.run(input(number));
    for (let start = 0; start < bytes.length; start += 8192) {
      pieces.push(String.fromCharCode(...bytes.subarray(start, start + 8192)));
    }
  }
  return btoa(pieces.join(""));
}

function say(words: string): void {
  document.getElementById("words")!.textContent = words;
}

carryOut()
  .catch((error) => ({ error: reason(error) }))
  .then(async (answer) => {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(location.href, { method: "POST", headers, body: JSON.stringify(answer) });
    say(response.ok ? "Done: this page can be closed." : `The answer was refused (${response.status}).`);
  })
  .catch((error) => say(`The answer did not arrive (${reason(error)}).`));
