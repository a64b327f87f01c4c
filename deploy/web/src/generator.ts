// One file of the page as a generator: opened when it is first needed, then it draws.

import { type FileFacts, type Latent, type PictureInput, readBlob, readsLatents, reason } from "./document";
import type { Interpreter, Runtime } from "./litert";
import { PixelDecoder, encode, encodeOne, normal } from "./numbers";
import type { Picture } from "./pictures";

export class Generator {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  private readonly decoder: PixelDecoder;
  private interpreter: Promise<Interpreter> | null = null;
  private ready: Interpreter | null = null;
  private readonly inputTable: Uint8Array | null = null;

  constructor(
    private readonly runtime: Runtime,
    readonly number: number,
    readonly facts: FileFacts,
  ) {
    [, this.height, this.width, this.channels] = facts.output.shape;
    this.decoder = new PixelDecoder(facts.output, facts.low, facts.high);
    if (!readsLatents(facts.reads) && facts.input.dtype === "int8") {
      const steps = Array.from({ length: 256 }, (_, level) => encodeOne(this.value(level), facts.input));
      this.inputTable = new Uint8Array(Int8Array.from(steps).buffer);
    }
  }

  /** Wait until it can draw. Throws, in words for people, where the file does not run. */
  async open(): Promise<void> {
    this.interpreter ??= readBlob(`file-${this.number}`).then((content) => this.runtime.open(content));
    try {
      this.ready = await this.interpreter;
    } catch (error) {
      throw new Error(`${this.facts.label} does not run here: ${reason(error)}`);
    }
  }

  get isOpen(): boolean {
    return this.ready !== null;
  }

  /** Bytes of the input tensor → picture. */
  drawEncoded(bytes: Uint8Array): Picture {
    if (!this.ready) throw new Error(`${this.facts.label} is not open`);
    const levels = this.decoder.decode(this.ready.run(bytes));
    return { levels, height: this.height, width: this.width, channels: this.channels };
  }

  /** A latent vector → picture. */
  drawLatent(vector: Float32Array): Picture {
    return this.drawEncoded(encode(vector, this.facts.input));
  }

  /** A picture of the size that the file reads → picture. */
  drawPicture(levels: Uint8ClampedArray): Picture {
    return this.drawEncoded(this.encodePicture(levels));
  }

  encodePicture(levels: Uint8ClampedArray): Uint8Array<ArrayBuffer> {
    const { inputTable } = this;
    if (!inputTable) return encode(Float32Array.from(levels, (level) => this.value(level)), this.facts.input);
    const bytes = new Uint8Array(levels.length);
    for (let i = 0; i < levels.length; i++) bytes[i] = inputTable[levels[i]];
    return bytes;
  }

  /** What the file reads for a level. */
  private value(level: number): number {
    const { low, high } = this.facts.reads as PictureInput;
    return Math.fround(low + (level / 255) * (high - low));
  }
}

/** The input vector of a seed and a class. */
export function latentOf(reads: Latent, seed: number, label: number): Float32Array {
  const { length, classes } = reads;
  const vector = new Float32Array(length + classes);
  vector.set(normal(seed, length));
  if (classes) vector[length + label] = 1;
  return vector;
}
