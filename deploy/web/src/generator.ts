// One file of the page as a generator: opened when it is first needed, then it draws.

import { type FileFacts, type Latent, type PictureInput, type Tiles, readBlob, readsLatents, reason } from "./document";
import { enlarged } from "./enlarge";
import type { Interpreter, Runtime } from "./litert";
import { PixelDecoder, encode, encodeOne, normal } from "./numbers";
import type { Picture } from "./pictures";
import type { TileDrawer } from "./tiles";

/** Pixels of the longer side of the largest tile: of a wider one hardly less is overlap. */
const LARGEST_TILE = 256;
/** Milliseconds that the largest tile may take: in between, the page listens. */
const TILE_MS = 200;

export class Generator {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  private readonly decoder: PixelDecoder;
  private interpreter: Promise<Interpreter> | null = null;
  private ready: Interpreter | null = null;
  private readonly inputTable: Uint8Array | null = null;
  private readonly larger = new Map<number, Promise<Interpreter>>();

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
    const levels = this.decoder.decode(this.opened.run(bytes));
    return { levels, height: this.height, width: this.width, channels: this.channels };
  }

  private get opened(): Interpreter {
    if (!this.ready) throw new Error(`${this.facts.label} is not open`);
    return this.ready;
  }

  /** A latent vector → picture. */
  drawLatent(vector: Float32Array): Picture {
    return this.drawEncoded(encode(vector, this.facts.input));
  }

  /** A picture of the size that the file reads → picture. */
  drawPicture(levels: Uint8ClampedArray): Picture {
    return this.drawEncoded(this.encodePicture(levels));
  }

  /**
   * What draws the tiles of a picture of that size. Without seams the same pixels come out whatever the
   * tiles' size, and the larger they are, the less of them is overlap.
   */
  async tileDrawer(tiles: Tiles, picture: { height: number; width: number }): Promise<TileDrawer> {
    const [, height, width, channels] = this.facts.input.shape;
    const start = performance.now();
    this.drawPicture(new Uint8ClampedArray(height * width * channels));
    const most = Math.min(
      LARGEST_TILE / Math.max(height, width),
      picture.height / height, // a smaller picture would be mirrored at its edges
      picture.width / width,
      Math.sqrt(TILE_MS / (performance.now() - start)),
    );
    const factor = tiles.seamless ? 2 ** Math.floor(Math.log2(Math.max(1, most))) : 1;
    const interpreter = await this.openEnlarged(factor);
    return {
      ...{ height: height * factor, width: width * factor, tiles, outputChannels: this.channels },
      draw: (levels) => this.decoder.decode(interpreter.run(this.encodePicture(levels))),
    };
  }

  private openEnlarged(factor: number): Interpreter | Promise<Interpreter> {
    if (factor === 1) return this.opened;
    if (!this.larger.has(factor)) {
      const content = readBlob(`file-${this.number}`);
      this.larger.set(factor, content.then((bytes) => this.runtime.open(enlarged(bytes, factor))));
    }
    return this.larger.get(factor)!;
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
