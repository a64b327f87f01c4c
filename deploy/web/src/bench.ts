// The page of the target `browser`: carries out one job, posts what it measured, once, and waits
// for the next. deploy/web/bench.py writes the job and reads the answer.

import { readBlob, reason } from "./document";
import { breathe } from "./elements";
import { Runtime } from "./litert";
import { GpuInterpreter, requestGpu } from "./webgpu";

interface Job {
  warmup: number;
  runs: number;
  inputs: number;
  /** Milliseconds that the timed runs may take together. */
  budget: number;
  threads: number;
  accelerator: "wasm" | "webgpu";
}

interface Bench {
  /** Nothing where there is nothing to measure yet. */
  job: Job | null;
  /** The path that takes the answer. */
  answer_to: string;
  /** The path that tells whether there is something to measure. */
  next: string;
}

const NS = 1e6;
const WAIT_MS = 500;

type Bytes = Uint8Array<ArrayBuffer>;
type Act = () => unknown;

async function carryOut(job: Job): Promise<object> {
  const gpu = job.accelerator === "webgpu" ? await requestGpu() : null;
  const loader = new TextDecoder().decode(await readBlob("litert.js"));
  const runtime = await Runtime.start(loader, await readBlob("litert.wasm"), job.threads, gpu?.device);
  const content = await readBlob("file");
  const inputs = await readBlob("inputs");
  const beforeOpening = performance.now();
  const interpreter = gpu ? await GpuInterpreter.open(runtime, content, gpu) : await runtime.open(content);
  const init = performance.now() - beforeOpening;
  const size = inputs.length / job.inputs;
  const input = (number: number) => inputs.subarray(number * size, (number + 1) * size);
  const draw = () => interpreter.run(input(0));
  const first = await timed(draw);
  const affordable = Math.max(8, Math.floor(job.budget / Math.max(first, 0.005)));
  say(`${job.runs} runs …`);
  await breathe();
  for (let run = 0; run < Math.min(job.warmup, affordable); run++) await draw();
  const runs = Math.min(job.runs, affordable);
  const samples = await timedRuns(runs, draw);
  const overhead = await timedRuns(runs, () => {});
  return {
    init_ms: init,
    first_ms: first,
    samples_ns: samples,
    overhead_ns: overhead.sort((a, b) => a - b)[runs >> 1],
    outputs: await outputsOf((bytes) => interpreter.run(bytes), job, input),
    browser: navigator.userAgent,
    isolated: crossOriginIsolated,
    gpu: gpu && gpu.name,
  };
}

async function timedRuns(runs: number, act: Act): Promise<number[]> {
  const samples: number[] = [];
  for (let run = 0; run < runs; run++) samples.push(toNs(await timed(act)));
  return samples;
}

async function timed(act: Act): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

/** Whole nanoseconds, one at least: the clock has steps. */
function toNs(milliseconds: number): number {
  return Math.max(1, Math.round(milliseconds * NS));
}

/** Base64 of what the file draws of every input, in order. */
async function outputsOf(draw: (bytes: Bytes) => Bytes | Promise<Bytes>, job: Job, input: (number: number) => Bytes): Promise<string> {
  const pieces: string[] = [];
  for (let number = 0; number < job.inputs; number++) {
    const bytes = await draw(input(number));
    for (let start = 0; start < bytes.length; start += 8192) {
      pieces.push(String.fromCharCode(...bytes.subarray(start, start + 8192)));
    }
  }
  return btoa(pieces.join(""));
}

function say(words: string): void {
  document.getElementById("words")!.textContent = words;
}

async function measure(job: Job, path: string): Promise<void> {
  const answer = await carryOut(job).catch((error) => ({ error: reason(error) }));
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(answer) });
  if (!response.ok) throw new Error(`it was refused: ${response.status}`);
}

/** Load the page anew as soon as there is something to measure: a fresh page for each job. */
async function waitForMore(path: string): Promise<void> {
  say("Waiting for something to measure …");
  for (;;) {
    const response = await fetch(path).catch(() => null);
    if (!response) break;
    if (response.status === 200) {
      location.reload();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
  say("Done: this page can be closed.");
}

async function main(): Promise<void> {
  const bench: Bench = JSON.parse(document.getElementById("document")!.textContent!);
  if (bench.job) await measure(bench.job, bench.answer_to);
  await waitForMore(bench.next);
}

main().catch((error) => say(`The answer did not arrive (${reason(error)}).`));
